// The half of the driver that loads modules, finds kernels in them and launches them. The PTX of a module is text that
// is looked at, not compiled: the kernels are those of the same names that g++ compiled from the same sources.
#include "driver.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

using namespace driver;

namespace {

// Attributes of a function.
enum {
    FUNCTION_MAX_THREADS_PER_BLOCK = 0,
    FUNCTION_SHARED_SIZE_BYTES = 1,
    FUNCTION_PTX_VERSION = 5,
    FUNCTION_BINARY_VERSION = 6,
    FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    FUNCTION_PREFERRED_SHARED_MEMORY_CARVEOUT = 9,
};

bool memory_of_kernels(const void *pointer, size_t bytes) {
    return in_allocation(reinterpret_cast<Address>(pointer), bytes);
}

// --- PTX: what of its text a driver would look at ---

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }

// Where `.directive word` is, past it, or npos.
size_t find_directive(const std::string &text, const std::string &directive, const std::string &word, size_t from = 0) {
    for (size_t at = text.find(directive, from); at != std::string::npos; at = text.find(directive, at + 1)) {
        size_t next = at + directive.size();
        if (next < text.size() && is_word(text[next])) continue;
        while (next < text.size() && std::isspace(static_cast<unsigned char>(text[next]))) ++next;
        if (text.compare(next, word.size(), word) != 0) continue;
        size_t end = next + word.size();
        if (word.empty() || end >= text.size() || !is_word(text[end])) return end;
    }
    return std::string::npos;
}

std::string without_comments(const std::string &text) {
    std::string result;
    for (size_t at = 0; at < text.size();) {
        if (text.compare(at, 2, "//") == 0) {
            at = std::min(text.find('\n', at), text.size());
        } else if (text.compare(at, 2, "/*") == 0) {
            size_t end = text.find("*/", at + 2);
            at = end == std::string::npos ? text.size() : end + 2;
        } else {
            result += text[at++];
        }
    }
    return result;
}

// The driver that first read this version of PTX, as 1000 major + 10 minor (release notes of the PTX ISA).
int driver_for(int version) {
    if (version >= 90) return 13000 + (version - 90) * 10;
    switch (version) {
    case 88: return 12090;
    case 87: return 12080;
    case 86: return 12070;
    default: break;
    }
    if (version >= 80) return 12000 + (version - 80) * 10;
    return 11000 + (version - 70) * 10;
}

CUresult read_module(Module &module) {
    const std::string &text = module.text;
    size_t at = find_directive(text, ".version", "");
    int ptx_major = 0, ptx_minor = 0;
    if (at == std::string::npos || std::sscanf(text.c_str() + at, "%d.%d", &ptx_major, &ptx_minor) != 2) {
        std::fprintf(stderr, "emulator: the module is no PTX text: it has no .version\n");
        return CUDA_ERROR_INVALID_IMAGE;
    }
    module.version = ptx_major * 10 + ptx_minor;
    if (driver_for(module.version) > driver_version) return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    at = find_directive(text, ".target", "");
    int target = 0;
    if (at == std::string::npos || std::sscanf(text.c_str() + at, "sm_%d", &target) != 1) {
        std::fprintf(stderr, "emulator: the module is no PTX text: it has no .target\n");
        return CUDA_ERROR_INVALID_PTX;
    }
    size_t end = at + 3;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
    bool exact = end < text.size() && text[end] == 'a';
    int device = major * 10 + minor;
    if (exact ? target != device : target > device) return CUDA_ERROR_NO_BINARY_FOR_GPU;
    module.architecture = exact && target >= 90 ? 900 : 800;
    return CUDA_SUCCESS;
}

// Bounds that the compiler wrote beside the kernel: .maxntid, and shared variables of its own.
void read_function(Function &function, size_t entry) {
    const std::string &text = function.module->text;
    size_t body = text.find('{', entry), next = find_directive(text, ".entry", "", entry);
    for (const char *bound : {".maxntid", ".reqntid"}) {
        size_t at = text.find(bound, entry);
        if (at == std::string::npos || at > body) continue;
        int x = 1, y = 1, z = 1;
        if (std::sscanf(text.c_str() + at + std::strlen(bound), " %d , %d , %d", &x, &y, &z) >= 1) {
            function.most_threads = std::min(1024, x * y * z);
        }
    }
    for (size_t at = text.find(".shared", body); at != std::string::npos && at < next;
         at = text.find(".shared", at + 1)) {
        int align = 0, size = 0;
        if (std::sscanf(text.c_str() + at, ".shared .align %d .b8 %*[^[;][%d]", &align, &size) == 2) {
            function.static_shared = (function.static_shared + align - 1) / align * align + size;
        }
    }
}

// --- launches ---

CUresult check_launch(const Function &function, dim3 grid, dim3 block, unsigned shared_bytes) {
    unsigned long long threads = (unsigned long long)block.x * block.y * block.z;
    auto refused = [&](const char *why) {
        std::fprintf(stderr, "emulator: kernel %s: %s (grid %u x %u x %u, block %u x %u x %u, %u bytes shared)\n",
                     function.kernel->name, why, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes);
        return CUDA_ERROR_INVALID_VALUE;
    };
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return refused("a side of the grid is 0");
    if (grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) return refused("the grid is too large");
    if (threads == 0 || threads > 1024 || block.z > 64) return refused("a block has 1 to 1024 threads");
    if (threads > unsigned(function.most_threads)) return refused("more threads than the kernel's bound");
    if (shared_bytes > unsigned(function.dynamic_shared))
        return refused("more shared memory than is allowed for the kernel");
    if (shared_bytes + unsigned(function.static_shared) >
        unsigned(attribute_of_device(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))) {
        return refused("more shared memory than the device has");
    }
    return CUDA_SUCCESS;
}

CUresult launch(Function *function, dim3 grid, dim3 block, unsigned shared_bytes, void *stream, void **parameters) {
    CHECK(usable());
    bool known = false;
    for (auto &each : functions) known = known || each.second.get() == function;
    if (!known) return CUDA_ERROR_INVALID_HANDLE;
    if (function->module->device != current_device) return CUDA_ERROR_INVALID_HANDLE;
    CHECK(check_launch(*function, grid, block, shared_bytes));
    const emulator::Kernel *kernel = function->kernel;
    if (kernel->parameters && !parameters) return CUDA_ERROR_INVALID_VALUE;
    // By value, since a graph runs them later.
    std::vector<std::vector<unsigned long long>> values;
    for (unsigned i = 0; i < kernel->parameters; ++i) {
        values.emplace_back((kernel->sizes[i] + 15) / 16 * 2);
        std::memcpy(values.back().data(), parameters[i], kernel->sizes[i]);
    }
    Device *device = current_device;
    return submit(stream, [=]() mutable {
        std::vector<void *> pointers;
        for (auto &value : values) pointers.push_back(value.data());
        emulator::Launch now{kernel, grid, block, shared_bytes, pointers.data(), memory_of_kernels};
        CUresult result = CUresult(emulator::run(now));
        if (result != CUDA_SUCCESS) device->error = result;
        return result;
    });
}

CUresult occupancy(int *blocks, Function *function, int threads, size_t shared_bytes) {
    if (!blocks || !function || threads <= 0) return CUDA_ERROR_INVALID_VALUE;
    int warps = (threads + 31) / 32;
    int by_threads = attribute_of_device(MAX_THREADS_PER_MULTIPROCESSOR) / (warps * 32);
    size_t each = shared_bytes + size_t(function->static_shared) + 1024;
    int by_memory = int(size_t(attribute_of_device(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)) / each);
    *blocks = threads > function->most_threads
                  ? 0
                  : std::min({by_threads, by_memory, attribute_of_device(MAX_BLOCKS_PER_MULTIPROCESSOR)});
    return CUDA_SUCCESS;
}

} // namespace

void driver::unload(Module *module) {
    modules.erase(module);
    for (auto at = functions.begin(); at != functions.end();)
        at = at->first.first == module ? functions.erase(at) : std::next(at);
    delete module;
}

// --- modules, functions, launches ---

CALL cuModuleLoadData(Module **out, const void *image) {
    USABLE;
    if (!out || !image) return CUDA_ERROR_INVALID_VALUE;
    auto module = std::make_unique<Module>();
    module->device = current_device;
    // A cubin is told by its first bytes, and is not emulated.
    if (std::memcmp(image, "\177ELF", 4) == 0) return CUDA_ERROR_NO_BINARY_FOR_GPU;
    module->text = without_comments(static_cast<const char *>(image));
    CHECK(read_module(*module));
    *out = module.release();
    modules.insert(*out);
    return CUDA_SUCCESS;
}
CALL cuModuleLoadDataEx(Module **out, const void *image, unsigned, void *, void *) {
    return cuModuleLoadData(out, image);
}

CALL cuModuleLoad(Module **out, const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (!file) return CUresult(301);
    std::string text;
    char part[4096];
    for (size_t read; (read = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, read);
    std::fclose(file);
    return cuModuleLoadData(out, text.c_str());
}

CALL cuModuleUnload(Module *module) {
    Guard guard(lock);
    if (!modules.count(module)) return CUDA_ERROR_INVALID_HANDLE;
    unload(module);
    return CUDA_SUCCESS;
}

CALL cuModuleGetFunction(Function **out, Module *module, const char *name) {
    USABLE;
    if (!modules.count(module)) return CUDA_ERROR_INVALID_HANDLE;
    if (!name) return CUDA_ERROR_INVALID_VALUE;
    size_t entry = find_directive(module->text, ".entry", name);
    if (entry == std::string::npos) return CUDA_ERROR_NOT_FOUND;
    const emulator::Kernel *kernel = emulator::kernels;
    while (kernel && (kernel->architecture != module->architecture || std::strcmp(kernel->name, name) != 0))
        kernel = kernel->next;
    if (!kernel) {
        std::fprintf(stderr, "emulator: the PTX has a kernel %s, but no .cu that was compiled for %d has KERNEL(%s)\n",
                     name, module->architecture, name);
        return CUDA_ERROR_NOT_FOUND;
    }
    auto &function = functions[{module, name}];
    if (!function) {
        function.reset(new Function{kernel, module});
        read_function(*function, entry);
    }
    *out = function.get();
    return CUDA_SUCCESS;
}

CALL cuFuncGetAttribute(int *value, int attribute, Function *function) {
    USABLE;
    if (!value || !function) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case FUNCTION_MAX_THREADS_PER_BLOCK: *value = function->most_threads; break;
    case FUNCTION_SHARED_SIZE_BYTES: *value = function->static_shared; break;
    case FUNCTION_PTX_VERSION: *value = function->module->architecture / 10; break;
    case FUNCTION_BINARY_VERSION: *value = major * 10 + minor; break;
    case FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = function->dynamic_shared; break;
    case FUNCTION_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = function->carveout; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

CALL cuFuncSetAttribute(Function *function, int attribute, int value) {
    USABLE;
    if (!function) return CUDA_ERROR_INVALID_VALUE;
    if (attribute == FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
        if (value < 0 || value + function->static_shared > attribute_of_device(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        function->dynamic_shared = value;
        return CUDA_SUCCESS;
    }
    if (attribute == FUNCTION_PREFERRED_SHARED_MEMORY_CARVEOUT) {
        if (value < -1 || value > 100) return CUDA_ERROR_INVALID_VALUE;
        function->carveout = value;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

CALL cuFuncSetCacheConfig(Function *, int) {
    USABLE;
    return CUDA_SUCCESS;
}

CALL cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, Function *function, int threads,
                                                          size_t shared_bytes, unsigned) {
    USABLE;
    return occupancy(blocks, function, threads, shared_bytes);
}
CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function *function, int threads, size_t shared_bytes) {
    USABLE;
    return occupancy(blocks, function, threads, shared_bytes);
}

CALL cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                    unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **parameters,
                    void **extra) {
    Guard guard(lock);
    if (extra) return CUDA_ERROR_NOT_SUPPORTED;
    if (std::atoi(setting("HAPLOOM_EMULATED_FAILURE", "0"))) return CUDA_ERROR_LAUNCH_FAILED;
    return launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, stream, parameters);
}

namespace {
struct LaunchConfiguration {
    unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
    void *stream;
    void *attributes;
    unsigned attribute_count;
};
} // namespace

CALL cuLaunchKernelEx(const LaunchConfiguration *configuration, Function *function, void **parameters, void **extra) {
    Guard guard(lock);
    if (!configuration) return CUDA_ERROR_INVALID_VALUE;
    // Clusters and the like would change what the kernel may do.
    if (extra || configuration->attribute_count) return CUDA_ERROR_NOT_SUPPORTED;
    return launch(function, {configuration->grid_x, configuration->grid_y, configuration->grid_z},
                  {configuration->block_x, configuration->block_y, configuration->block_z}, configuration->shared_bytes,
                  configuration->stream, parameters);
}
