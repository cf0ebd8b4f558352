# The binary interface of libmoonglass.so, checked against its record with libabigail's tools.

# abidw accepts a header only by its file name. Types that are not in the header are private.
ABIDW := cd csrc && abidw --exported-interfaces-only --drop-private-types --header-file moonglass.h --no-corpus-path \
  --no-comp-dir-path --no-show-locs --no-elf-needed

$(B)/abi.xml: $(B)/$(SO_FILE)
	@command -v abidw >/dev/null || { echo "abi: abidw is missing (Debian: abigail-tools)" >&2; exit 1; }
	$(call say,ABI,$@)$(ABIDW) --out-file $(call quote,$(BUILD)/$(@F)) $(call quote,$(BUILD)/$(<F))

## abi: fail if programs linked with the interface recorded in csrc/abi.xml would no longer run (x86-64 only)
.PHONY: abi
abi: $(B)/abi.xml
	abidiff --no-added-syms csrc/abi.xml $<
	@echo "abi: the interface recorded in csrc/abi.xml is unchanged"

## abi-record: record the interface: csrc/exports.txt from the headers, csrc/abi.xml from the library
.PHONY: abi-record
abi-record:
	sed -n 's/^MOON_API [^(]*[ *]\([a-z0-9_]*\)(.*/\1/p' $(HEADERS) | LC_ALL=C sort >csrc/exports.txt
	@$(MAKE) --no-print-directory $(B)/abi.xml
	cp $(B)/abi.xml csrc/abi.xml
