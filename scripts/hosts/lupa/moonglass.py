"""Moonglass inside Python, by lupa: a Lua state with a memory limit, and numpy arrays as tensors without files."""

import struct
import zlib

import lupa
import numpy as np

# core.so looks for Lua's functions among the symbols of the process. Python hides the symbols of extensions unless they
# are imported like this. It must be the first import of this Lua from lupa.
with lupa.allow_lua_module_loading():
    from lupa.lua54 import LuaError, LuaMemoryError, LuaRuntime  # noqa: F401

SMALL = 1 << 16  # memory that a call takes besides its arguments


def open_state(max_memory):
    """A Lua state of at most max_memory bytes, tensors included, and the library in it.

    Strings are bytes on both sides (encoding=None), because pictures are. lupa counts Lua's memory only if it gets a
    limit when it makes the state.
    """
    lua = LuaRuntime(max_memory=max_memory, encoding=None, unpack_returned_tuples=True)
    moon, _path = lua.require(b"moonglass")
    lua.globals()[b"moon"] = moon
    return lua, moon


def make_room(lua, wanted):
    """Raises LuaMemoryError unless so many bytes are free, if necessary after a collection.

    lupa passes a value from Python to Lua outside any protected call: if memory runs out then, Lua ends the process. So
    call this first for large values. Within Lua, out of memory is an error like others.
    """
    limit = lua.get_max_memory(total=True)
    if limit and limit - lua.get_memory_used(total=True) < wanted:
        lua.gccollect()
        free = limit - lua.get_memory_used(total=True)
        if free < wanted:
            raise LuaMemoryError(f"not enough memory: wanted {wanted} bytes, {free} are free")


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def to_png(matrix):
    """A matrix of bytes as a grey PNG, not compressed."""
    height, width = matrix.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with the number of its filter, 0 for none
    rows[:, 1:] = matrix
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 0))
            + _chunk(b"IEND", b""))


def to_tensor(lua, moon, array):
    """uint8 [n x d] through a PNG in memory of the same size; others through tables, of 16 to 48 bytes a number."""
    array = np.ascontiguousarray(array)
    if array.dtype == np.uint8 and array.ndim == 2:
        png = to_png(array)
        make_room(lua, len(png) + SMALL)
        tensor = moon[b"png"][b"decode"](png)
        if isinstance(tensor, tuple):  # nil, message, code
            raise LuaError(tensor[1].decode())
        return tensor
    make_room(lua, 48 * array.size + SMALL)
    return moon[b"tensor"](lua.table_from(array.tolist(), recursive=True))


def _numbers(value):
    return [_numbers(v) for v in value.values()] if hasattr(value, "values") else value


def to_array(lua, tensor):
    """A tensor's numbers as float32, whatever its shape."""
    totable = lua.eval(b"function(t) return t:totable() end")
    return np.array(_numbers(totable(tensor)), np.float32)
