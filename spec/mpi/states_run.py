"""A host of two Lua states, one after the other and at the same time, on each rank: they cannot both use MPI."""

import ctypes
import ctypes.util
import os
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
lua = ctypes.CDLL(ctypes.util.find_library("lua5.4"), mode=ctypes.RTLD_GLOBAL)
lua.luaL_newstate.restype = ctypes.c_void_p
lua.lua_tolstring.restype = ctypes.c_char_p
lua.lua_pcallk.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_ssize_t, ctypes.c_void_p]
PATHS = f"""package.path = "{ROOT}/lua/?.lua;{ROOT}/lua/?/init.lua;" .. package.path
package.cpath = "{ROOT}/build/lib/?.so;" .. package.cpath"""
USE = 'local mpi = require "moonglass.mpi"; return mpi.rank == 0 and "sum " .. mpi.reduce(1) or mpi.reduce(1) and ""'


class State:
    def __init__(self):
        self.state = ctypes.c_void_p(lua.luaL_newstate())
        lua.luaL_openlibs(self.state)
        self.run(PATHS)

    def run(self, code):
        if lua.luaL_loadstring(self.state, code.encode()) == 0:
            lua.lua_pcallk(self.state, 0, 1, 0, 0, None)
        text = lua.lua_tolstring(self.state, -1, None)
        lua.lua_settop(self.state, 0)
        return text.decode() if text else ""

    def close(self):
        lua.lua_close(self.state)


def say(name, text):
    if text:
        sys.stdout.write(f"{name}: {text}\n")
        sys.stdout.flush()


first, second = State(), State()
say("first", first.run(USE))
say("second", second.run(USE))
thread = threading.Thread(target=lambda: say("thread", State().run(USE)))
thread.start()
thread.join()
say("first again", first.run(USE))
first.close()
say("second, later", second.run(USE))
second.close()
say("the", "end")
