# SPDX-License-Identifier: MIT
# The usual ways in. meson does the work, in build/release here and in build/<name> for the tests.

PREFIX ?= /usr/local
TREE := build/release

.PHONY: all help demo test soak soak-cluster flakes fuzz bench bench-io bench-check bench-cluster docs install uninstall clean format writable

all: $(TREE)/build.ninja
	@ninja -C $(TREE)

help:
	@echo 'make            build the library and the examples in $(TREE)'
	@echo 'make demo       build and run examples/wordfreq; ARGS="[options] [DIRECTORY]"'
	@echo '                without ARGS examples/convert and examples/supervised as well'
	@echo 'make test       every test in every build; ARGS="--config gcc --suite unit" for fewer'
	@echo 'make fuzz       the fuzz targets, for long; ARGS="reader --seconds 600"'
	@echo 'make soak       20,000 connections at once, a million one by one, processes killed; long'
	@echo 'make soak-cluster  servers, workers, clients of a cluster killed and parted under load'
	@echo 'make flakes     tests again and again in unkind conditions; ARGS="--only cli/ --rounds 20"'
	@echo 'make bench      measure against the peers that are installed; ARGS="--only chan --rounds 9"'
	@echo 'make bench-io   measure examples/httpd beside other servers; ARGS="--quick"'
	@echo 'make bench-check  measure the checker beside ThreadSanitizer and valgrind'
	@echo 'make bench-cluster  measure jobs over a cluster beside the bare NATS library'
	@echo 'make docs       manual pages, the HTML reference and the map, in $(TREE)/doc'
	@echo 'make install    into PREFIX (now $(PREFIX)), below DESTDIR if that is set'
	@echo 'make uninstall  take away what make install put there'
	@echo 'make format     clang-format over all C files'
	@echo 'make clean      remove build/'

$(TREE)/build.ninja:
	@tools/install_deps.sh --for demo
	@said=$$(meson setup $(TREE)) || { echo "$$said"; exit 1; }

demo: $(TREE)/build.ninja
	@said=$$(ninja -C $(TREE) demos) || { echo "$$said"; exit 1; }
	@wordfreq=$(TREE)/examples/wordfreq/wordfreq; \
	    tools/with_cluster.py $(TREE)/cli/ravel $$wordfreq $$wordfreq $(ARGS)
	@[ -n "$(ARGS)" ] || [ ! -x $(TREE)/examples/convert/convert ] || \
	    { echo; $(TREE)/examples/convert/convert --demo; }
	@[ -n "$(ARGS)" ] || { echo; $(TREE)/examples/supervised/supervised --seconds 5; }

test:
	@tools/install_deps.sh --for test
	@tools/run_tests.py $(ARGS)

fuzz:
	@tools/install_deps.sh --for test
	@tools/fuzz.py $(ARGS)

soak:
	@tools/install_deps.sh --for test
	@tools/run_tests.py --config gcc --suite stress --only stress_io --scale 20000 --jobs 1 $(ARGS)
	@tools/run_tests.py --config gcc --suite stress --only stress_processes --scale 3000 --jobs 1 $(ARGS)
	@tools/run_tests.py --config gcc --suite stress --only stress_queue_shared --scale 20000 --jobs 1 $(ARGS)
	@tools/run_tests.py --config gcc --suite stress --only stress_services --scale 6000 --jobs 1 $(ARGS)
	@tools/run_tests.py --config gcc --suite cli --only look/ps --scale 50000 --jobs 1 $(ARGS)

soak-cluster:
	@tools/install_deps.sh --for test
	@tools/soak_cluster.py $(ARGS)

flakes:
	@tools/install_deps.sh --for test
	@tools/flakes.py $(ARGS)

# A peer that cannot be had is left out, so missing packages do not stop it.
bench:
	@tools/install_deps.sh --for bench || true
	@tools/bench.py $(ARGS)

bench-io:
	@tools/install_deps.sh --for bench || true
	@tools/bench_io.py $(ARGS)

bench-check: $(TREE)/build.ninja
	@tools/install_deps.sh --for bench || true
	@tools/bench_check.py $(TREE) $(ARGS)

bench-cluster:
	@tools/install_deps.sh --for bench || true
	@tools/bench_cluster.py $(ARGS)

# A tree that was configured without mkdocs is configured again when it is there.
docs: $(TREE)/build.ninja
	@tools/install_deps.sh --for docs || true
	@grep -q '^build doc/guide:' $(TREE)/build.ninja || ! command -v mkdocs >/dev/null || \
	    meson setup --reconfigure $(TREE) >/dev/null 2>&1
	@said=$$(ninja -C $(TREE) pages) || { echo "$$said"; exit 1; }
	@[ ! -e $(TREE)/doc/guide ] || echo 'begin with $(TREE)/doc/guide/index.html'
	@echo 'read $(TREE)/doc/html/index.html, or: man -l $(TREE)/doc/man7/ravel.7'

# The prefix is baked into ravel.pc, so a new one reconfigures the tree; an old one leaves it alone, so
# that `make && sudo make install` makes nothing in it root's.
install: all writable
	@[ "$$(cat $(TREE)/prefix 2>/dev/null || echo /usr/local)" = "$(abspath $(PREFIX))" ] || \
	    { meson configure $(TREE) --prefix=$(abspath $(PREFIX)) && \
	      echo "$(abspath $(PREFIX))" >$(TREE)/prefix && ninja -C $(TREE); }
	@meson install -C $(TREE) --quiet --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig
	@echo 'installed below $(DESTDIR)$(abspath $(PREFIX)); read: man 7 ravel'

uninstall: writable
	@ninja -C $(TREE) uninstall
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

writable:
	@to="$(DESTDIR)$(abspath $(PREFIX))"; while [ ! -e "$$to" ]; do to=$$(dirname "$$to"); done; \
	    [ -w "$$to" ] || { echo "$$to is not yours to write to: use sudo, or PREFIX=..." >&2; exit 1; }

format:
	@tools/format.sh

clean:
	@rm -rf build
