# Doxygen's filter for the public headers, whose comments are plain ones: marks those before an entry, those behind a
# field, and the first as the file's; not those that head a section. One before several entries is that of each.
BEGIN { RS = ""; FS = "\n" }
{
  entries = 0
  for (i = 1; i <= NF; i++) {
    sub(/^MOON_API /, "", $i)
    entries += $i ~ /^[a-z].* \**moon_[a-z_]+(\(.*|;.*)$/
  }
  grouped = entries > 1 && /^\/\* /
  if (grouped) print "///@{"
  for (i = 1; i <= NF; i++) {
    if ($i ~ /^ *\*\*/) sub(/\*\* ?/, "* ", $i)
    else if ($i ~ /^\/\* [^-]/) sub(/^\/\* /, NR == 1 ? "/** \\file\n * " : "/** ", $i)
    else sub(/ \/\* /, " /**< ", $i)
    print $i
  }
  if (grouped) print "///@}"
  print ""
}
