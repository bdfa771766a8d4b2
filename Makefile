# modelhost: build, test, check, install. `make help` lists the targets.
#
#   make -j2                       everything into build/
#   make SAN=address,undefined     the same under sanitizers, into build-address,undefined/ (or thread)
#   make KERNELS=portable          kernels in plain C instead of oneDNN, into build-portable/
#   make SODIUM=no                 without libsodium: no encrypted archives, into build-nosodium/
#
# Every folder is found by its name: a new file in base/, store/, packager/ or host/ joins its library,
# a new folder plugins/<arch>/ becomes a plugin, a new tests/unit/test_*.c becomes a test.

CC       ?= cc
PREFIX   ?= /usr/local
KERNELS  ?= onednn
SODIUM   ?= yes
VERSION  := $(shell sed -n 's/^.define MODELHOST_VERSION "\(.*\)"/\1/p' include/modelhost.h)

comma    := ,
SUFFIX   := $(if $(SAN),-$(SAN))$(if $(filter portable,$(KERNELS)),-portable)$(if $(filter no,$(SODIUM)),-nosodium)
BUILD    ?= build$(SUFFIX)
O        := $(BUILD)/obj

DARWIN   := $(filter Darwin,$(shell uname -s))
SO       := $(if $(DARWIN),dylib,so)
# Filters system calls of worker processes; they run without it, too.
SECCOMP  := $(if $(DARWIN),,$(shell pkg-config --exists libseccomp && echo libseccomp))
PACKAGES := libuv libcurl libcjson libssl libcrypto libutf8proc libpcre2-8 libpng libjpeg hiredis libzstd libxxhash libprotobuf-c $(if $(filter no,$(SODIUM)),,libsodium) $(SECCOMP)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-overlength-strings -Werror
CFLAGS   ?= -O2 -g
ALL_CFLAGS  := -std=c11 $(if $(DARWIN),,-D_GNU_SOURCE) $(CFLAGS) $(WARNINGS) -fPIC -fvisibility=hidden \
               -fno-math-errno -pthread $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) -MMD -MP
# Feature macros of third parties only where their library is fenced in; headers as system headers.
PKG_CFLAGS  := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) 2>/dev/null))
PKG_LIBS    := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
ALL_LDFLAGS := $(LDFLAGS) -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,--as-needed
LIBS        := $(PKG_LIBS) -ldl -lm

# ---- layers: who may include whom (also checked by scripts/checks/layers.sh)

INC_base     := -Iinclude -Ibase
folders       = -I$(1) $(patsubst %/,-I%,$(sort $(dir $(wildcard $(1)/*/*.h))))
INC_store    := $(INC_base) $(call folders,store)
INC_packager := $(INC_store) $(call folders,packager)
INC_host     := $(INC_store) $(call folders,host)
INC_kernels  := -Iinclude -Iplugins/kernels
INC_graph    := $(INC_kernels) -Iplugins/graph -Iplugins/graph/operators
INC_tests    := $(INC_host) $(call folders,packager) -Itests

SRC_base     := $(wildcard base/*.c)
SRC_store    := $(wildcard store/*.c store/*/*.c)
SRC_packager := $(filter-out packager/pkgmgr.c,$(wildcard packager/*.c packager/*/*.c))
SRC_host     := $(filter-out host/modelhost_command.c,$(wildcard host/*.c host/*/*.c))
SRC_kernels  := $(filter-out $(if $(filter portable,$(KERNELS)),%_onednn.c,%_portable.c),$(wildcard plugins/kernels/*.c))

SRC_graph    := $(wildcard plugins/graph/*.c plugins/graph/*/*.c)

objects = $(patsubst %.c,$(O)/%.o,$(1))
# Code that protoc-c makes of the schemas of store/coreml/ belongs to store/, too.
GENERATED := $(BUILD)/generated
SCHEMAS := $(patsubst store/coreml/%.proto,$(GENERATED)/%.pb-c,$(wildcard store/coreml/*.proto))
GENERATED_OBJECTS := $(SCHEMAS:%=%.o)
ARCHIVE := $(BUILD)/lib/libmodelhost-internal.a
KERNELS_ARCHIVE := $(BUILD)/lib/libkernels.a
GRAPH_ARCHIVE := $(BUILD)/lib/libgraph.a
LIBRARY := $(BUILD)/lib/libmodelhost.$(SO)
COMMANDS := $(BUILD)/bin/modelhost $(BUILD)/bin/pkgmgr

PLUGIN_NAMES := $(filter-out kernels graph,$(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/*.c)))))
PLUGIN_NAMES := $(sort $(PLUGIN_NAMES))
PLUGINS := $(PLUGIN_NAMES:%=$(BUILD)/lib/modelhost/plugins/lib%.$(SO))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
PLUGIN_TESTS := $(patsubst tests/plugins/%.c,$(BUILD)/tests/%,$(wildcard tests/plugins/test_*.c))
FIXTURES := $(patsubst tests/abi/plugin_%.c,$(BUILD)/tests/plugin_%.$(SO),$(wildcard tests/abi/plugin_*.c))
ABI_TESTS := $(patsubst tests/abi/%.c,$(BUILD)/tests/%,$(wildcard tests/abi/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS := $(FUZZERS:%=$(BUILD)/tests/replay_%)
EXAMPLE_PLUGINS := $(patsubst examples/%.c,$(BUILD)/examples/%.$(SO),$(wildcard examples/plugin_*.c))
# A folder of examples/ with C files in it is a plugin that a stranger wrote.
EXAMPLE_FOLDERS := $(sort $(patsubst examples/%/,%,$(dir $(wildcard examples/*/*.c))))
EXAMPLE_PLUGINS += $(EXAMPLE_FOLDERS:%=$(BUILD)/examples/%.$(SO))
EXAMPLES := $(EXAMPLE_PLUGINS) $(patsubst examples/%.c,$(BUILD)/examples/%,$(filter-out examples/plugin_%,$(wildcard examples/*.c)))
SOAK := $(BUILD)/tests/soak
WORKLOADS := $(BUILD)/tests/workloads
TESTS := $(UNIT_TESTS) $(PLUGIN_TESTS) $(ABI_TESTS) $(REPLAYS)

.PHONY: all help demo test soak bench bench-download check-perf fuzz check plugin install interop deps clean tests objects
.DELETE_ON_ERROR:
all: $(COMMANDS) $(LIBRARY) $(PLUGINS) $(EXAMPLES)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: deps ## download, run and show the small models that the repository ships
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) scripts/demo.sh

test: deps ## build and run every test that needs Debian packages only
	@$(MAKE) --no-print-directory tests
	@BUILD=$(BUILD) scripts/run-tests.sh $(ONLY)

interop: all $(BUILD)/tests/sampler_steps ## compare with npm's clients and oracles
	@scripts/deps.sh interop
	@BUILD=$(BUILD) tests/interop/run.sh

soak: all $(SOAK) ## SOAK_SECONDS=600 of all models at random, with faults and loads
	@BUILD=$(BUILD) scripts/soak.sh

bench: all $(BUILD)/bench/bench $(BUILD)/bench/overhead $(BUILD)/bench/fork_join ## measure beside the peers that are installed
	@BUILD=$(BUILD) bench/run.sh

bench-download: $(BUILD)/bin/pkgmgr ## a download over loopback beside curl
	@BUILD=$(BUILD) bench/download.sh

check-perf: all $(WORKLOADS) ## instructions of fixed workloads against tests/perf/budget.txt
	@scripts/deps.sh perf
	@BUILD=$(BUILD) tests/perf/instructions.sh

fuzz: ## 60 s of each fuzz target (SECONDS_EACH=60)
	@tests/fuzz/run.sh $(FUZZERS)

check: all ## layers, sizes, banned calls, format, symbols, ABI
	@BUILD=$(BUILD) scripts/check.sh

# With warnings, and without those turned into errors: the folder is somebody else's.
plugin: $(KERNELS_ARCHIVE) $(COMMANDS) ## DIR=folder [PKG=package]: its C files become its libmodel.so
	@[ -n "$(wildcard $(DIR)/*.c)" ] || \
	  { echo "make plugin: no C files in '$(DIR)'; want make plugin DIR=folder" >&2; exit 2; }
	$(call say,LD,$(DIR)/libmodel.$(SO))
	$(Q)$(CC) $(filter-out -Werror -MMD -MP,$(ALL_CFLAGS)) $(INC_kernels) $(wildcard $(DIR)/*.c) \
	  $(KERNELS_ARCHIVE) $(ALL_LDFLAGS) $(PLUGIN_FLAGS) $(PLUGIN_LIBS) -o $(DIR)/libmodel.$(SO)
	$(if $(PKG),$(Q)$(BUILD)/bin/pkgmgr install "$(PKG)" $(DIR)/libmodel.$(SO) && \
	  $(BUILD)/bin/modelhost explain "$(PKG)" && $(BUILD)/bin/modelhost run "$(PKG)" --describe)

deps:
	@scripts/deps.sh build

tests: all $(TESTS) $(FIXTURES) $(SOAK)

# Everything compiled, nothing linked (for scripts/checks/compile.sh).
objects: $(call objects,$(SRC_base) $(SRC_store) $(SRC_packager) $(SRC_host) $(SRC_kernels) $(SRC_graph) \
  $(wildcard packager/pkgmgr.c host/modelhost_command.c) $(foreach p,$(PLUGIN_NAMES),$(wildcard plugins/$(p)/*.c plugins/$(p)/bridge/*.c)) \
  $(wildcard tests/unit/*.c tests/plugins/*.c tests/abi/*.c tests/coreml/*.c tests/soak/*.c tests/fuzz/*.c tests/perf/*.c tests/interop/*.c examples/*.c examples/*/*.c bench/*.c))

# ---- compiling: `make V=1` shows the commands

Q := $(if $(V),,@)
say = @printf '  %-4s %s\n' '$(1)' '$(2)' $(SAY_TO)
# Its stdout is tables.
bench: SAY_TO := >&2

# compile(folder, flags): how the sources of a folder, and of those below it, become objects.
define compile
$(O)/$(1)/%.o: $(1)/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $(2) -c $$< -o $$@
endef
# Loops of kernels are written for the vectoriser, which -O3 turns on; no -march: see kernels.h.
KERNELS_CFLAGS := -O3 -ffp-contract=fast $(if $(filter portable,$(KERNELS)),,-fopenmp)

$(eval $(call compile,base,$(INC_base) $(PKG_CFLAGS)))
$(eval $(call compile,store,$(INC_store) $(PKG_CFLAGS)))
$(eval $(call compile,packager,$(INC_packager) $(PKG_CFLAGS)))
$(eval $(call compile,host,$(INC_host) $(PKG_CFLAGS)))
$(eval $(call compile,plugins/kernels,$(KERNELS_CFLAGS) $(INC_kernels)))
$(eval $(call compile,plugins/graph,$(KERNELS_CFLAGS) $(INC_graph)))
$(eval $(call compile,plugins/coreml-ane,$(INC_kernels) -Iplugins/graph -Iplugins/coreml-ane -Iplugins/coreml-ane/bridge -Istore/coreml))
# Core ML itself, where it is; elsewhere the check `bridge` compiles this against declarations of our own.
$(O)/plugins/coreml-ane/bridge/%.o: plugins/coreml-ane/bridge/%.m
	@mkdir -p $(@D)
	$(call say,OBJC,$<)
	$(Q)clang $(CFLAGS) -Wall -Wextra -Werror=unguarded-availability -fobjc-arc -fobjc-arc-exceptions -fblocks \
	  -fvisibility=hidden -MMD -MP -Iinclude -Iplugins/coreml-ane/bridge -c $< -o $@
$(eval $(call compile,plugins,$(INC_kernels) -I$$(dir $$<)))
$(eval $(call compile,tests,$(INC_tests) $(INC_graph) $(PKG_CFLAGS)))
$(eval $(call compile,bench,$(INC_host)))
$(eval $(call compile,examples,$(INC_kernels)))

$(O)/base/environment.o $(O)/tests/unit/test_environment.o: ALL_CFLAGS += -DMODELHOST_PREFIX='"$(PREFIX)"'
$(O)/store/trust/%.o $(O)/tests/unit/test_cipher_primitives.o: ALL_CFLAGS += $(if $(filter no,$(SODIUM)),,-DWITH_LIBSODIUM)
# Loops over all elements of a model's weights, written for the vectoriser.
$(O)/packager/convert/float_convert.o $(O)/packager/convert/tensor_statistics.o: ALL_CFLAGS += -O3
$(O)/host/workers/worker_seccomp.o: ALL_CFLAGS += $(if $(SECCOMP),-DWITH_LIBSECCOMP)
# The inner loops again for each instruction set; the processor chooses at run time (vector_kernels.h).
ifeq ($(shell uname -m),x86_64)
$(O)/plugins/kernels/vector_kernels_avx2.o: ALL_CFLAGS += -mavx2 -mfma
$(O)/plugins/kernels/vector_kernels_avx512.o: ALL_CFLAGS += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
$(O)/plugins/kernels/vector_kernels_vnni.o: ALL_CFLAGS += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mfma
$(O)/plugins/kernels/vector_kernels_bf16.o: ALL_CFLAGS += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mavx512bf16 -mfma
# The sanitizer's second stack aligns to 32 bytes only, vectors have 64 (GCC's bug 110027).
ifneq ($(findstring address,$(SAN)),)
NO_SECOND_STACK := $(shell $(CC) -Werror --param=asan-use-after-return=0 -fsyntax-only -x c /dev/null 2>/dev/null && echo --param=asan-use-after-return=0)
$(O)/plugins/kernels/vector_kernels_%.o: ALL_CFLAGS += $(NO_SECOND_STACK)
endif
endif

# Not our code: no warnings, seen as a system header by store/coreml/ alone.
$(GENERATED)/%.pb-c.c $(GENERATED)/%.pb-c.h: store/coreml/%.proto
	@mkdir -p $(GENERATED)
	$(call say,GEN,$<)
	$(Q)protoc-c -Istore/coreml --c_out=$(GENERATED) $(<F)
$(GENERATED_OBJECTS): %.o: %.c
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out $(WARNINGS),$(ALL_CFLAGS)) -w -isystem $(GENERATED) -c $< -o $@
$(call objects,$(wildcard store/coreml/*.c)): ALL_CFLAGS += -isystem $(GENERATED)
$(call objects,$(wildcard store/coreml/*.c)): $(SCHEMAS:%=%.h)

# ---- linking

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^
endef
# link(libraries): everything that the target is made of, and these.
define link
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o %.a,$^) $(1) -o $@
endef
elf = $(if $(DARWIN),,$(1))
no_undefined := $(if $(SAN),,$(call elf,-Wl$(comma)-z$(comma)defs))

$(ARCHIVE): $(call objects,$(SRC_base) $(SRC_store) $(SRC_packager) $(SRC_host)) $(GENERATED_OBJECTS)
	$(archive)
$(KERNELS_ARCHIVE): $(call objects,$(SRC_kernels))
	$(archive)
$(GRAPH_ARCHIVE): $(call objects,$(SRC_graph))
	$(archive)

# The library is the files that define the public functions, and what they reach.
API_OBJECTS := $(call objects,$(wildcard host/api*.c packager/api*.c))
# It stays mapped after dlclose(): a signal handler and perhaps lanes live in it.
LIBRARY_FLAGS := -shared $(no_undefined) $(call elf,-Wl$(comma)-z$(comma)nodelete) \
  $(call elf,-Wl$(comma)-soname$(comma)libmodelhost.so.0 -Wl$(comma)--version-script=scripts/modelhost.map)
$(LIBRARY): $(API_OBJECTS) $(ARCHIVE) scripts/modelhost.map
	$(call link,$(LIBRARY_FLAGS) $(LIBS))
	$(Q)ln -sf $(@F) $@.0

$(BUILD)/bin/pkgmgr: $(O)/packager/pkgmgr.o $(ARCHIVE)
	$(call link,$(LIBS))
$(BUILD)/bin/modelhost: $(O)/host/modelhost_command.o $(ARCHIVE)
	$(call link,$(LIBS))

# A plugin: its own objects and libkernels.a; exports create_model and nothing else.
PLUGIN_FLAGS := -shared $(no_undefined) $(call elf,-Wl$(comma)--version-script=scripts/plugin.map)
PLUGIN_LIBS := $(if $(filter portable,$(KERNELS)),,-ldnnl -fopenmp) -lm
# What a plugin is linked with beyond that; one that reads files of its own takes the reader out of store/.
BRIDGE_LAYOUTS := $(call objects,$(wildcard plugins/coreml-ane/bridge/*.c))
GRAPH_OF_coreml-ane := $(GRAPH_ARCHIVE) $(if $(DARWIN),$(BRIDGE_LAYOUTS) $(patsubst %.m,$(O)/%.o,$(wildcard plugins/coreml-ane/bridge/*.m)))
READER_OF_coreml-ane := $(ARCHIVE)
LIBS_OF_coreml-ane := $(LIBS) $(if $(DARWIN),-framework CoreML -framework CoreVideo -framework Foundation)
define plugin_rule
$(BUILD)/lib/modelhost/plugins/lib$(1).$(SO): $(call objects,$(wildcard plugins/$(1)/*.c)) $(GRAPH_OF_$(1)) $(KERNELS_ARCHIVE) $(READER_OF_$(1)) scripts/plugin.map
	$$(call link,$$(PLUGIN_FLAGS) $$(PLUGIN_LIBS) $$(LIBS_OF_$(1)))
endef
$(foreach p,$(PLUGIN_NAMES),$(eval $(call plugin_rule,$(p))))

define example_rule
$(BUILD)/examples/$(1).$(SO): $(call objects,$(wildcard examples/$(1)/*.c)) $(KERNELS_ARCHIVE) scripts/plugin.map
	$$(call link,$$(PLUGIN_FLAGS) $$(PLUGIN_LIBS))
endef
$(foreach p,$(EXAMPLE_FOLDERS),$(eval $(call example_rule,$(p))))

# Fixture plugins of the tests, each broken in its own way (tests/abi/plugin_*.c says how), and the
# example: linked without a version script, as a stranger would.
$(BUILD)/tests/plugin_%.$(SO): $(O)/tests/abi/plugin_%.o
	$(call link,-shared -lm)
$(BUILD)/examples/plugin_%.$(SO): $(O)/examples/plugin_%.o
	$(call link,-shared)
$(BUILD)/examples/%: $(O)/examples/%.o $(LIBRARY)
	$(call link,-L$(BUILD)/lib -lmodelhost -lpng -lm -Wl$(comma)-rpath$(comma)'$$ORIGIN/../lib')

# Tests open the fixtures beside them.
$(UNIT_TESTS) $(ABI_TESTS): | $(FIXTURES)
$(BUILD)/tests/test_environment_library: | $(LIBRARY)
# Workers are the modelhost command.
$(BUILD)/tests/test_worker_model $(BUILD)/tests/test_worker_life $(BUILD)/tests/test_worker_slot $(BUILD)/tests/test_worker_attempts $(BUILD)/tests/test_worker_parity: | $(BUILD)/bin/modelhost
$(BUILD)/tests/test_%: $(O)/tests/unit/test_%.o $(ARCHIVE) $(KERNELS_ARCHIVE)
	$(call link,-lcmocka $(LIBS) $(PLUGIN_LIBS))
HARNESS := $(call objects,$(wildcard tests/plugins/*_harness.c))
$(BUILD)/tests/test_%: $(O)/tests/plugins/test_%.o $(HARNESS) $(ARCHIVE) $(GRAPH_ARCHIVE) $(KERNELS_ARCHIVE) | $(PLUGINS) $(EXAMPLE_PLUGINS)
	$(call link,-lcmocka $(LIBS) $(PLUGIN_LIBS))
# The plugin for Core ML models with a bridge that is none of Apple's: linked into its test, and for hosts to open.
MOCKED := $(call objects,$(filter-out %/coreml_linked.c,$(wildcard plugins/coreml-ane/*.c)) plugins/coreml-ane/bridge/bridge_entries.c plugins/coreml-ane/bridge/bridge_wait.c tests/coreml/mock_bridge.c)
MOCK_PLUGIN := $(BUILD)/tests/plugin_coreml_mock.$(SO)
MOCK_TESTS := $(addprefix $(BUILD)/tests/test_,bridge_entries $(addprefix coreml_,alone bridge compiled files hang schema))
$(O)/tests/coreml/%.o $(MOCK_TESTS:$(BUILD)/tests/%=$(O)/tests/plugins/%.o): ALL_CFLAGS += -Iplugins/coreml-ane/bridge -Itests/coreml
# What of the real bridge is plain C.
BRIDGE_TESTS := layout pixels sizes tally wait
$(BRIDGE_TESTS:%=$(BUILD)/tests/test_bridge_%): $(filter-out %/bridge_entries.o,$(BRIDGE_LAYOUTS))
$(O)/tests/plugins/test_bridge_%.o: ALL_CFLAGS += -Iplugins/coreml-ane/bridge
$(MOCK_TESTS): $(MOCKED) $(GRAPH_ARCHIVE) $(KERNELS_ARCHIVE) | $(MOCK_PLUGIN) $(BUILD)/bin/modelhost
$(MOCK_TESTS): LIBS := $(GRAPH_ARCHIVE) $(KERNELS_ARCHIVE) $(ARCHIVE) $(LIBS)
$(MOCK_PLUGIN): $(MOCKED) $(GRAPH_ARCHIVE) $(KERNELS_ARCHIVE) $(ARCHIVE) scripts/plugin.map
	$(call link,$(PLUGIN_FLAGS) $(PLUGIN_LIBS) $(LIBS))
# Another test of what that plugin is made of.
$(BUILD)/tests/test_feature_sizes: $(call objects,plugins/coreml-ane/feature_sizes.c)
$(BUILD)/tests/test_translate_recurrent: $(call objects,$(wildcard plugins/coreml-ane/*.c))
$(BUILD)/tests/test_translate_recurrent: LIBS := $(GRAPH_ARCHIVE) $(KERNELS_ARCHIVE) $(ARCHIVE) $(LIBS)
$(O)/tests/plugins/test_feature_sizes.o $(O)/tests/plugins/test_translate_recurrent.o: ALL_CFLAGS += -Iplugins/coreml-ane -Iplugins/coreml-ane/bridge
$(BUILD)/tests/test_%: $(O)/tests/abi/test_%.o $(ARCHIVE)
	$(call link,-lcmocka $(LIBS))
$(BUILD)/tests/sampler_steps: $(O)/tests/interop/sampler_steps.o $(ARCHIVE)
	$(call link,$(LIBS))
$(SOAK): $(call objects,$(wildcard tests/soak/*.c)) $(LIBRARY)
	$(call link,-L$(BUILD)/lib -lmodelhost -lm -Wl$(comma)-rpath$(comma)'$$ORIGIN/../lib')
$(WORKLOADS): $(call objects,$(wildcard tests/perf/*.c)) $(ARCHIVE) | $(PLUGINS) $(BUILD)/tests/plugin_echo.$(SO)
	$(call link,-lcmocka $(LIBS))
$(O)/tests/perf/%.o: ALL_CFLAGS += -Itests/unit
# Tests that make allocations fail (tests/failing_memory.h).
FAILING_MEMORY := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(shell grep -ls failing_memory.h tests/unit/*.c))
$(FAILING_MEMORY): ALL_LDFLAGS += $(call elf,-Wl$(comma)--wrap=malloc$(comma)--wrap=calloc$(comma)--wrap=realloc)
# Counts what libraries allocate by C++'s operator new, which it defines for them.
$(BUILD)/tests/test_allocations: ALL_LDFLAGS += $(call elf,-Wl$(comma)--export-dynamic-symbol=_Znwm)
# One plugin is linked in: configurations are fuzzed down to what a plugin makes of them.
FUZZED_PLUGIN := $(call objects,$(wildcard plugins/bert/*.c)) $(KERNELS_ARCHIVE)
$(BUILD)/tests/replay_fuzz_config $(BUILD)/fuzz/fuzz_config: $(FUZZED_PLUGIN)
# Another: models down to the graph that a plugin makes of them.
FUZZED_GRAPH := $(call objects,$(wildcard plugins/coreml-ane/*.c)) $(GRAPH_ARCHIVE) $(KERNELS_ARCHIVE)
GRAPH_FUZZERS := $(foreach f,coreml_graph coreml_weights,$(BUILD)/tests/replay_fuzz_$(f) $(BUILD)/fuzz/fuzz_$(f))
$(GRAPH_FUZZERS): $(FUZZED_GRAPH)
$(GRAPH_FUZZERS): LIBS := $(ARCHIVE) $(LIBS)
$(O)/tests/fuzz/fuzz_coreml_%.o: ALL_CFLAGS += -Iplugins/coreml-ane -Iplugins/coreml-ane/bridge
$(BUILD)/tests/replay_fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(ARCHIVE)
	$(call link,$(LIBS) $(PLUGIN_LIBS))
# With clang and libFuzzer; see tests/fuzz/run.sh.
$(BUILD)/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(ARCHIVE)
	$(call link,-fsanitize=fuzzer $(LIBS) $(PLUGIN_LIBS))
$(BUILD)/bench/bench: $(call objects,$(filter-out bench/overhead.c bench/fork_join.c,$(wildcard bench/*.c))) $(ARCHIVE)
	$(call link,$(LIBS))
$(BUILD)/bench/overhead: $(O)/bench/overhead.o $(ARCHIVE) | $(BUILD)/tests/plugin_echo.$(SO)
	$(call link,$(LIBS))
$(BUILD)/bench/fork_join: $(O)/bench/fork_join.o $(ARCHIVE)
	$(call link,$(LIBS))

install: all ## into $(DESTDIR)$(PREFIX)
	scripts/install.sh "$(BUILD)" "$(DESTDIR)" "$(PREFIX)" "$(VERSION)"

clean: ## remove what was built
	rm -rf build build-*

-include $(shell find $(O) -name '*.d' 2>/dev/null)
.SECONDARY:
