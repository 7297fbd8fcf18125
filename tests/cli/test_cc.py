#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel cc` stands wherever a compiler does.

    test_cc.py SOURCE_ROOT RAVEL"""

import shutil
import sys
import tempfile
from pathlib import Path

from ravel_cli import InFolder, RAVEL

from tap import run_unittests


class Cc(InFolder):
    def setUp(self):
        super().setUp()
        self.write("main.c", "int half(int);\nint main(void) { return half(14) - 7; }\n")
        self.write("half.c", "static int calls;\nint half(int n) { calls++; return n / 2; }\n")

    def symbols(self, name):
        out, _ = self.run_in("nm", name)
        return out

    def libraries(self, name):
        out, _ = self.run_in("readelf", "-d", name)
        return out

    def assert_is_whole(self, name):
        self.run_in(f"./{name}")
        self.assertIn("__tsan_", self.symbols(name))
        self.assertIn("libravel_check.so", self.libraries(name))
        self.assertNotIn("libtsan", self.libraries(name))

    def test_one_call_compiles_and_links(self):
        self.ravel("cc", "-O2", "-o", "both", "main.c", "half.c", "-pthread")
        self.assert_is_whole("both")

    def test_objects_are_linked(self):
        self.ravel("cc", "-c", "main.c")
        self.ravel("cc", "-c", "-o", "other.o", "half.c")
        self.ravel("cc", "main.o", "other.o", "-o", "linked")
        self.assert_is_whole("linked")

    def test_a_source_and_an_object_are_linked_in_their_order(self):
        self.ravel("cc", "-c", "half.c")
        self.run_in("ar", "rc", "libhalf.a", "half.o")
        self.ravel("cc", "main.c", "-L.", "-lhalf", "-o", "mixed")
        self.assert_is_whole("mixed")

    def test_the_output_may_be_glued_or_left_out(self):
        self.ravel("cc", "main.c", "half.c", "-oglued")
        self.assert_is_whole("glued")
        self.ravel("cc", "main.c", "half.c")
        self.assert_is_whole("a.out")

    def test_a_library_is_shared(self):
        self.ravel("cc", "-shared", "-fPIC", "-o", "libhalf.so", "half.c")
        self.ravel("cc", "-o", "user", "main.c", "-L.", "-lhalf", "-Wl,-rpath,$ORIGIN")
        self.assert_is_whole("user")
        self.assertIn("__tsan_", self.symbols("libhalf.so"))

    def test_values_of_options_are_no_sources(self):
        self.write("wanted.h", "#define WANTED 7\n")
        self.write("uses.c", "int main(void) { return WANTED - 7; }\n")
        self.ravel("cc", "-include", "wanted.h", "-MD", "-MF", "uses.c.d", "-o", "uses", "uses.c")
        self.run_in("./uses")
        self.assertIn("wanted.h", (self.folder / "uses.c.d").read_text())

    def test_a_language_holds_for_what_comes_after_it(self):
        shutil.copy(self.folder / "half.c", self.folder / "half.txt")
        self.ravel("cc", "main.c", "-x", "c", "half.txt", "-x", "none", "-o", "spoken")
        self.assert_is_whole("spoken")

    def test_a_source_comes_on_standard_input(self):
        with open(self.folder / "half.c") as half:
            self.ravel("cc", "-c", "-x", "c", "-", "-o", "half.o", stdin=half)
        self.ravel("cc", "main.c", "half.o", "-o", "piped")
        self.assert_is_whole("piped")

    def test_a_users_sanitizer_makes_no_second_runtime(self):
        self.ravel("cc", "-fsanitize=thread", "-o", "twice", "main.c", "half.c")
        self.assert_is_whole("twice")

    def test_a_fence_is_no_reason_to_warn(self):
        self.write("fence.c", "#include <stdatomic.h>\n"
                   "int main(void) { atomic_thread_fence(memory_order_seq_cst); }\n")
        self.ravel("cc", "-Werror", "-Wall", "fence.c", "-o", "fence")
        if shutil.which("clang"):
            self.ravel("cc", "--with", "clang", "-Werror", "-Wall", "fence.c", "-o", "fence")

    def test_preprocessing_is_left_alone(self):
        out, _ = self.ravel("cc", "-E", "-dM", "main.c")
        self.assertNotIn("__SANITIZE_THREAD__", out)

    def test_questions_are_passed_on(self):
        self.assertIn("gcc", self.ravel("cc", "--version")[0].lower())
        self.assertEqual(self.ravel("cc", "-dumpmachine"), self.run_in("gcc", "-dumpmachine"))

    def test_an_error_is_the_compilers(self):
        self.write("wrong.c", "int main(void) { return nothing; }\n")
        _, said = self.ravel("cc", "-o", "wrong", "wrong.c", status=1)
        self.assertIn("wrong.c:1", said)
        self.assertFalse((self.folder / "wrong").exists())

    def test_nothing_is_left_in_the_folder_for_objects(self):
        with tempfile.TemporaryDirectory() as scratch:
            self.ravel("cc", "main.c", "half.c", TMPDIR=scratch)
            self.assertEqual(list(Path(scratch).iterdir()), [])

    def test_a_static_program_is_refused(self):
        _, said = self.ravel("cc", "-static", "main.c", "half.c", status=2)
        self.assertIn("-static", said)

    def test_a_compiler_that_is_not_there_is_named(self):
        _, said = self.ravel("cc", "--with", "no-such-cc", "-c", "main.c", status=2)
        self.assertIn("no-such-cc", said)

    def test_clang_does_as_well(self):
        if not shutil.which("clang"):
            self.skipTest("no clang")
        self.ravel("cc", "--with", "clang", "-O2", "-o", "one", "main.c", "half.c")
        self.assert_is_whole("one")
        self.ravel("cc", "-o", "two", "main.c", "half.c", RAVEL_CC="clang -O1")
        self.assert_is_whole("two")

    def test_cxx_does_as_well(self):
        if not shutil.which("g++"):
            self.skipTest("no g++")
        self.write("main.cc", "#include <string>\nstatic std::string s;\n"
                              "int main() { s += 'a'; return s.size() - 1; }\n")
        self.ravel("c++", "-o", "cxx", "main.cc")
        self.assert_is_whole("cxx")

    def test_make_takes_it(self):
        self.write("Makefile", "prog: main.o half.o\n\t$(CC) -o $@ $^\n")
        self.run_in("make", f"CC={RAVEL} cc")
        self.assert_is_whole("prog")

    def test_cmake_takes_it(self):
        if not shutil.which("cmake"):
            self.skipTest("no cmake")
        self.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.16)\nproject(prog C)\n"
                                     "find_package(Threads REQUIRED)\n"
                                     "add_executable(prog main.c half.c)\n")
        self.run_in("cmake", "-S", ".", "-B", "build", CC=f"{RAVEL} cc")
        self.run_in("cmake", "--build", "build")
        self.assert_is_whole("build/prog")


if __name__ == "__main__":
    sys.exit(run_unittests())
