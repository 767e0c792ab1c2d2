// The driver that plays libcuda.so.1: the calls that the crate cudarc makes, over memory of the host and the processor
// that plays the GPU (processor.cpp). Streams run what they are given at once and in order, under one lock.
//
// HAPLOOM_EMULATED_DEVICES (1), HAPLOOM_EMULATED_CAPABILITY (8.0), HAPLOOM_EMULATED_MEMORY (4096 MiB a device) and
// HAPLOOM_EMULATED_DRIVER_VERSION (12040) say what is played; they are read by cuInit, the first time.
#define EMULATOR_ITSELF
#include "device.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace {

// Numbers and types of NVIDIA's cuda.h, of which there is no copy here.
enum CUresult {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
  CUDA_ERROR_ASSERT = 710,
  CUDA_ERROR_MISALIGNED_ADDRESS = 716,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
  CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
  CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905,
  CUDA_ERROR_CAPTURED_EVENT = 907,
};
struct Named {
  CUresult result;
  const char *name, *text;
};
#define NAMED(name, text) {name, #name, text}
const Named NAMES[] = {
    NAMED(CUDA_SUCCESS, "no error"),
    NAMED(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    NAMED(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    NAMED(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    NAMED(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    NAMED(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    NAMED(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    NAMED(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    NAMED(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
    NAMED(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    NAMED(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain."),
    NAMED(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    NAMED(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    NAMED(CUDA_ERROR_NOT_READY, "device not ready"),
    NAMED(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    NAMED(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    NAMED(CUDA_ERROR_ASSERT, "device-side assert triggered"),
    NAMED(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    NAMED(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    NAMED(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    NAMED(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    NAMED(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"),
    NAMED(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "capture was not initiated in this stream"),
    NAMED(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work"),
    NAMED(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "dependency created on uncaptured work in another stream"),
    NAMED(CUDA_ERROR_CAPTURED_EVENT, "operation not permitted on an event last recorded in a capturing stream"),
};

// Attributes of a device and of a function that are answered by name here.
enum {
  MAX_THREADS_PER_BLOCK = 1,
  MAX_BLOCK_DIM_X,
  MAX_BLOCK_DIM_Y,
  MAX_BLOCK_DIM_Z,
  MAX_GRID_DIM_X,
  MAX_GRID_DIM_Y,
  MAX_GRID_DIM_Z,
  MAX_SHARED_MEMORY_PER_BLOCK,
  TOTAL_CONSTANT_MEMORY,
  WARP_SIZE,
  MAX_REGISTERS_PER_BLOCK = 12,
  CLOCK_RATE = 13,
  MULTIPROCESSOR_COUNT = 16,
  CAN_MAP_HOST_MEMORY = 19,
  CONCURRENT_KERNELS = 31,
  PCI_BUS_ID = 33,
  MEMORY_CLOCK_RATE = 36,
  GLOBAL_MEMORY_BUS_WIDTH = 37,
  L2_CACHE_SIZE = 38,
  MAX_THREADS_PER_MULTIPROCESSOR = 39,
  ASYNC_ENGINE_COUNT = 40,
  UNIFIED_ADDRESSING = 41,
  COMPUTE_CAPABILITY_MAJOR = 75,
  COMPUTE_CAPABILITY_MINOR = 76,
  MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
  MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
  MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  MAX_BLOCKS_PER_MULTIPROCESSOR = 106,
  RESERVED_SHARED_MEMORY_PER_BLOCK = 111,
  MEMORY_POOLS_SUPPORTED = 115,
  ATTRIBUTES = 1024,
};
enum {
  FUNCTION_MAX_THREADS_PER_BLOCK = 0,
  FUNCTION_SHARED_SIZE_BYTES = 1,
  FUNCTION_PTX_VERSION = 5,
  FUNCTION_BINARY_VERSION = 6,
  FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
  FUNCTION_PREFERRED_SHARED_MEMORY_CARVEOUT = 9,
};

using Address = unsigned long long;
constexpr size_t GUARD_BYTES = 256;
constexpr int GUARD = 0xc3, FRESH = 0xa5, FREED = 0xdd;

struct Allocation {
  size_t bytes;
  int device;
  unsigned char *whole;
};

struct Pool {
  unsigned long long attributes[16] = {};
};

struct Device {
  int number;
  int retained = 0;
  size_t used = 0;
  // What every call answers after a launch that failed, until the context is released.
  CUresult error = CUDA_SUCCESS;
  Pool pool;
};

struct Module {
  Device *device;
  std::string text;
  int architecture;
  int version;
};

struct Function {
  const emulator::Kernel *kernel;
  Module *module;
  int dynamic_shared = 48 << 10, static_shared = 0, most_threads = 1024, carveout = -1;
};

struct Graph;
struct Stream {
  Device *device;
  Graph *capture = nullptr;
  bool begun_here = false;
  // How many operations of the capture this stream has made since another stream waited for it.
  unsigned long long mark = 0, joined = 0;
};

using Operation = std::function<CUresult()>;
struct Graph {
  std::vector<Operation> operations;
  std::vector<Stream *> streams;
  bool invalid = false;
};
struct Executable {
  std::vector<Operation> operations;
};

struct Event {
  Device *device;
  bool timed, recorded = false;
  std::chrono::steady_clock::time_point at;
  Graph *capture = nullptr;
  Stream *stream = nullptr;
  unsigned long long mark = 0;
};

std::mutex lock;
bool initialised = false;
std::vector<std::unique_ptr<Device>> devices;
int major, minor, driver_version;
size_t memory_bytes;
std::map<Address, Allocation> allocations;
std::set<void *> host_allocations;
std::set<Stream *> streams;
std::set<Event *> events;
std::set<Module *> modules;
std::set<Graph *> graphs;
std::set<Executable *> executables;
std::map<std::pair<Module *, std::string>, std::unique_ptr<Function>> functions;
std::vector<std::unique_ptr<Stream>> default_streams;
thread_local Device *current_device = nullptr;

using Guard = std::lock_guard<std::mutex>;

const char *setting(const char *variable, const char *otherwise) {
  const char *value = std::getenv(variable);
  return value && *value ? value : otherwise;
}

// What the call is refused for before anything is done: no cuInit, no current context, an earlier failure.
CUresult usable() {
  if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
  if (!current_device) return CUDA_ERROR_INVALID_CONTEXT;
  if (!current_device->retained) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  return current_device->error;
}
#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    CUresult checked = (call);                                                                                         \
    if (checked != CUDA_SUCCESS) return checked;                                                                       \
  } while (0)
#define USABLE                                                                                                         \
  Guard guard(lock);                                                                                                   \
  CHECK(usable())

// The stream behind a handle: null, 1 and 2 are the default streams of the current context.
Stream *stream_of(void *handle) {
  if (reinterpret_cast<uintptr_t>(handle) <= 2) return default_streams[size_t(current_device->number)].get();
  auto found = streams.find(static_cast<Stream *>(handle));
  return found == streams.end() ? nullptr : *found;
}

bool in_allocation(Address address, size_t bytes) {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin()) return false;
  auto found = std::prev(after);
  size_t offset = size_t(address - found->first);
  return offset <= found->second.bytes && bytes <= found->second.bytes - offset;
}

bool memory_of_kernels(const void *pointer, size_t bytes) { return in_allocation(reinterpret_cast<Address>(pointer), bytes); }

CUresult allocate(Address *out, size_t bytes, Device *device) {
  if (!out || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  // As the GPU's own allocator does, in steps of 512 bytes.
  size_t taken = (bytes + 511) / 512 * 512;
  if (taken < bytes || taken > memory_bytes - device->used) return CUDA_ERROR_OUT_OF_MEMORY;
#if defined(__SANITIZE_ADDRESS__)
  size_t whole = bytes, before = 0;
#else
  size_t whole = bytes + 2 * GUARD_BYTES, before = GUARD_BYTES;
#endif
  void *memory = nullptr;
  if (posix_memalign(&memory, 256, whole)) return CUDA_ERROR_OUT_OF_MEMORY;
  auto begin = static_cast<unsigned char *>(memory);
  std::memset(begin, GUARD, before);
  std::memset(begin + before, FRESH, bytes);
  std::memset(begin + before + bytes, GUARD, whole - before - bytes);
  device->used += taken;
  *out = reinterpret_cast<Address>(begin + before);
  allocations[*out] = {bytes, device->number, begin};
  return CUDA_SUCCESS;
}

CUresult release(std::map<Address, Allocation>::iterator found) {
  const Allocation allocation = found->second;
  Device &device = *devices[size_t(allocation.device)];
  CUresult result = CUDA_SUCCESS;
#if !defined(__SANITIZE_ADDRESS__)
  auto untouched = [](const unsigned char *at) {
    return std::all_of(at, at + GUARD_BYTES, [](unsigned char byte) { return byte == GUARD; });
  };
  bool before = untouched(allocation.whole), after = untouched(allocation.whole + GUARD_BYTES + allocation.bytes);
  if (!before || !after) {
    std::fprintf(stderr, "emulator: something was written %s an allocation of %zu bytes on device %d\n",
                 before ? "past" : "before", allocation.bytes, allocation.device);
    result = device.error = CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  std::memset(allocation.whole, FREED, allocation.bytes + 2 * GUARD_BYTES);
#endif
  device.used -= (allocation.bytes + 511) / 512 * 512;
  std::free(allocation.whole);
  allocations.erase(found);
  return result;
}

CUresult free_memory(Address address) {
  if (address == 0) return CUDA_SUCCESS;
  auto found = allocations.find(address);
  if (found == allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  return release(found);
}

// A call that is not allowed while a stream captures makes the capture invalid.
CUresult refuse_in_capture(Stream *stream) {
  if (!stream->capture) return CUDA_SUCCESS;
  stream->capture->invalid = true;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult refuse_in_any_capture() {
  for (Stream *stream : streams) {
    if (stream->device == current_device) CHECK(refuse_in_capture(stream));
  }
  return CUDA_SUCCESS;
}

// Does the operation now, or records it in the graph that the stream captures.
CUresult submit(void *handle, Operation operation) {
  Stream *stream = stream_of(handle);
  if (!stream || stream->device != current_device) return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture) {
    if (stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    ++stream->mark;
    stream->capture->operations.push_back(std::move(operation));
    return CUDA_SUCCESS;
  }
  return operation();
}

int attribute_of_device(int attribute) {
  bool server = minor == 0;
  switch (attribute) {
  case MAX_THREADS_PER_BLOCK: return 1024;
  case MAX_BLOCK_DIM_X: return 1024;
  case MAX_BLOCK_DIM_Y: return 1024;
  case MAX_BLOCK_DIM_Z: return 64;
  case MAX_GRID_DIM_X: return 2147483647;
  case MAX_GRID_DIM_Y: return 65535;
  case MAX_GRID_DIM_Z: return 65535;
  case MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
  case TOTAL_CONSTANT_MEMORY: return 64 << 10;
  case WARP_SIZE: return 32;
  case MAX_REGISTERS_PER_BLOCK: return 65536;
  case MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
  case CLOCK_RATE: return major >= 9 ? 1980000 : 1410000;
  case MEMORY_CLOCK_RATE: return major >= 9 ? 2619000 : 1215000;
  case GLOBAL_MEMORY_BUS_WIDTH: return 5120;
  case MULTIPROCESSOR_COUNT: return major >= 9 ? 132 : server ? 108 : 84;
  case CAN_MAP_HOST_MEMORY: return 1;
  case CONCURRENT_KERNELS: return 1;
  case PCI_BUS_ID: return current_device ? current_device->number + 1 : 1;
  case L2_CACHE_SIZE: return major >= 9 ? 50 << 20 : server ? 40 << 20 : 6 << 20;
  case MAX_THREADS_PER_MULTIPROCESSOR: return server ? 2048 : 1536;
  case ASYNC_ENGINE_COUNT: return 3;
  case UNIFIED_ADDRESSING: return 1;
  case COMPUTE_CAPABILITY_MAJOR: return major;
  case COMPUTE_CAPABILITY_MINOR: return minor;
  case MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return (major >= 9 ? 228 : server ? 164 : 100) << 10;
  case MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return (major >= 9 ? 227 : server ? 163 : 99) << 10;
  case MAX_BLOCKS_PER_MULTIPROCESSOR: return server ? 32 : 16;
  case RESERVED_SHARED_MEMORY_PER_BLOCK: return 1024;
  case MEMORY_POOLS_SUPPORTED: return 1;
  default: return 0;
  }
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
  for (size_t at = text.find(".shared", body); at != std::string::npos && at < next; at = text.find(".shared", at + 1)) {
    int align = 0, size = 0;
    if (std::sscanf(text.c_str() + at, ".shared .align %d .b8 %*[^[;][%d]", &align, &size) == 2) {
      function.static_shared = (function.static_shared + align - 1) / align * align + size;
    }
  }
}

void unload(Module *module) {
  modules.erase(module);
  for (auto at = functions.begin(); at != functions.end();) at = at->first.first == module ? functions.erase(at) : std::next(at);
  delete module;
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
  if (shared_bytes > unsigned(function.dynamic_shared)) return refused("more shared memory than is allowed for the kernel");
  if (shared_bytes + unsigned(function.static_shared) > unsigned(attribute_of_device(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))) {
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

CUresult set_memory(Address to, const void *pattern, size_t width, size_t count, void *stream) {
  if (count == 0) return CUDA_SUCCESS;
  if (to % width || !in_allocation(to, width * count)) return CUDA_ERROR_INVALID_VALUE;
  unsigned value = 0;
  std::memcpy(&value, pattern, width);
  return submit(stream, [=] {
    auto at = reinterpret_cast<unsigned char *>(to);
    if (width == 1) {
      std::memset(at, int(value), count);
    } else {
      for (size_t i = 0; i < count; ++i) std::memcpy(at + i * width, &value, width);
    }
    return CUDA_SUCCESS;
  });
}

CUresult copy_memory(void *to, const void *from, size_t bytes, bool to_device, bool from_device, void *stream) {
  if (bytes == 0) return CUDA_SUCCESS;
  if (!to || !from) return CUDA_ERROR_INVALID_VALUE;
  if (to_device && !in_allocation(reinterpret_cast<Address>(to), bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (from_device && !in_allocation(reinterpret_cast<Address>(from), bytes)) return CUDA_ERROR_INVALID_VALUE;
  return submit(stream, [=] {
    std::memmove(to, from, bytes);
    return CUDA_SUCCESS;
  });
}

void *host(Address address) { return reinterpret_cast<void *>(address); }

CUresult play(const std::vector<Operation> &operations) {
  for (const Operation &operation : operations) CHECK(operation());
  return CUDA_SUCCESS;
}

void end_capture(Graph *graph) {
  for (Stream *stream : graph->streams) {
    stream->capture = nullptr;
    stream->begun_here = false;
  }
  graph->streams.clear();
}

CUresult occupancy(int *blocks, Function *function, int threads, size_t shared_bytes) {
  if (!blocks || !function || threads <= 0) return CUDA_ERROR_INVALID_VALUE;
  int warps = (threads + 31) / 32;
  int by_threads = attribute_of_device(MAX_THREADS_PER_MULTIPROCESSOR) / (warps * 32);
  size_t each = shared_bytes + size_t(function->static_shared) + 1024;
  int by_memory = int(size_t(attribute_of_device(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)) / each);
  *blocks = threads > function->most_threads ? 0 : std::min({by_threads, by_memory, attribute_of_device(MAX_BLOCKS_PER_MULTIPROCESSOR)});
  return CUDA_SUCCESS;
}

} // namespace

#define CALL extern "C" __attribute__((visibility("default"))) CUresult

CALL cuInit(unsigned flags) {
  Guard guard(lock);
  if (flags) return CUDA_ERROR_INVALID_VALUE;
  if (!initialised) {
    int count = std::atoi(setting("HAPLOOM_EMULATED_DEVICES", "1"));
    if (count <= 0) return CUDA_ERROR_NO_DEVICE;
    if (std::sscanf(setting("HAPLOOM_EMULATED_CAPABILITY", "8.0"), "%d.%d", &major, &minor) != 2) {
      std::fprintf(stderr, "emulator: HAPLOOM_EMULATED_CAPABILITY is a number such as 8.0\n");
      return CUDA_ERROR_INVALID_VALUE;
    }
    driver_version = std::atoi(setting("HAPLOOM_EMULATED_DRIVER_VERSION", "12040"));
    memory_bytes = size_t(std::atoll(setting("HAPLOOM_EMULATED_MEMORY", "4096"))) << 20;
    for (int i = 0; i < count; ++i) {
      devices.emplace_back(new Device);
      devices.back()->number = i;
      default_streams.emplace_back(new Stream{devices.back().get()});
    }
    initialised = true;
  }
  return CUDA_SUCCESS;
}

CALL cuDriverGetVersion(int *version) {
  if (!version) return CUDA_ERROR_INVALID_VALUE;
  *version = std::atoi(setting("HAPLOOM_EMULATED_DRIVER_VERSION", "12040"));
  return CUDA_SUCCESS;
}

CALL cuGetErrorName(CUresult result, const char **name) {
  for (const Named &named : NAMES) {
    if (named.result == result) {
      *name = named.name;
      return CUDA_SUCCESS;
    }
  }
  *name = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

CALL cuGetErrorString(CUresult result, const char **text) {
  for (const Named &named : NAMES) {
    if (named.result == result) {
      *text = named.text;
      return CUDA_SUCCESS;
    }
  }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

// --- devices and contexts: a device's primary context is the device itself ---

#define DEVICE(number)                                                                                                 \
  Guard guard(lock);                                                                                                   \
  if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;                                                                 \
  if (number < 0 || size_t(number) >= devices.size()) return CUDA_ERROR_INVALID_DEVICE

CALL cuDeviceGet(int *device, int number) {
  DEVICE(number);
  *device = number;
  return CUDA_SUCCESS;
}

CALL cuDeviceGetCount(int *count) {
  Guard guard(lock);
  if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
  *count = int(devices.size());
  return CUDA_SUCCESS;
}

CALL cuDeviceGetName(char *name, int bytes, int number) {
  DEVICE(number);
  std::snprintf(name, size_t(bytes), "Emulated GPU %d.%d", major, minor);
  return CUDA_SUCCESS;
}

CALL cuDeviceTotalMem_v2(size_t *bytes, int number) {
  DEVICE(number);
  *bytes = memory_bytes;
  return CUDA_SUCCESS;
}

CALL cuDeviceGetAttribute(int *value, int attribute, int number) {
  DEVICE(number);
  if (attribute <= 0 || attribute >= ATTRIBUTES) return CUDA_ERROR_INVALID_VALUE;
  *value = attribute_of_device(attribute);
  return CUDA_SUCCESS;
}

CALL cuDeviceGetUuid(char *uuid, int number) {
  DEVICE(number);
  std::memcpy(uuid, "emulated gpu   ", 15);
  uuid[15] = char(number);
  return CUDA_SUCCESS;
}
CALL cuDeviceGetUuid_v2(char *uuid, int number) { return cuDeviceGetUuid(uuid, number); }

CALL cuDevicePrimaryCtxRetain(void **context, int number) {
  DEVICE(number);
  ++devices[size_t(number)]->retained;
  *context = devices[size_t(number)].get();
  return CUDA_SUCCESS;
}

// The last release frees what the context holds and forgets a failure.
CALL cuDevicePrimaryCtxRelease_v2(int number) {
  DEVICE(number);
  Device *device = devices[size_t(number)].get();
  if (device->retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
  if (--device->retained) return CUDA_SUCCESS;
  for (auto at = allocations.begin(); at != allocations.end();) {
    auto next = std::next(at);
    if (at->second.device == number) release(at);
    at = next;
  }
  for (auto at = modules.begin(); at != modules.end();) {
    auto next = std::next(at);
    if ((*at)->device == device) unload(*at);
    at = next;
  }
  device->error = CUDA_SUCCESS;
  return CUDA_SUCCESS;
}

CALL cuDevicePrimaryCtxReset_v2(int number) {
  DEVICE(number);
  devices[size_t(number)]->error = CUDA_SUCCESS;
  return CUDA_SUCCESS;
}

CALL cuCtxGetCurrent(void **context) {
  *context = current_device;
  return CUDA_SUCCESS;
}

CALL cuCtxSetCurrent(void *context) {
  Guard guard(lock);
  if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
  Device *found = nullptr;
  for (auto &device : devices) {
    if (device.get() == context) found = device.get();
  }
  if (context && !found) return CUDA_ERROR_INVALID_CONTEXT;
  current_device = found;
  return CUDA_SUCCESS;
}

CALL cuCtxGetDevice(int *number) {
  if (!current_device) return CUDA_ERROR_INVALID_CONTEXT;
  *number = current_device->number;
  return CUDA_SUCCESS;
}

CALL cuCtxSynchronize() {
  USABLE;
  return refuse_in_any_capture();
}

CALL cuCtxSetFlags(unsigned) {
  USABLE;
  return CUDA_SUCCESS;
}

CALL cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  USABLE;
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return CUDA_SUCCESS;
}

// --- memory ---

CALL cuMemGetInfo_v2(size_t *available, size_t *total) {
  USABLE;
  *available = memory_bytes - current_device->used;
  *total = memory_bytes;
  return CUDA_SUCCESS;
}

CALL cuMemAlloc_v2(Address *address, size_t bytes) {
  USABLE;
  CHECK(refuse_in_any_capture());
  return allocate(address, bytes, current_device);
}

namespace {
// Memory of a graph's own is not emulated.
CUresult outside_capture(void *handle) {
  Stream *stream = stream_of(handle);
  if (!stream || stream->device != current_device) return CUDA_ERROR_INVALID_HANDLE;
  if (!stream->capture) return CUDA_SUCCESS;
  stream->capture->invalid = true;
  std::fprintf(stderr, "emulator: memory that is allocated or freed within a captured graph is not emulated\n");
  return CUDA_ERROR_NOT_SUPPORTED;
}
} // namespace

CALL cuMemAllocAsync(Address *address, size_t bytes, void *stream) {
  USABLE;
  CHECK(outside_capture(stream));
  return allocate(address, bytes, current_device);
}

CALL cuMemAllocFromPoolAsync(Address *address, size_t bytes, void *, void *stream) {
  return cuMemAllocAsync(address, bytes, stream);
}

CALL cuMemFree_v2(Address address) {
  USABLE;
  CHECK(refuse_in_any_capture());
  return free_memory(address);
}

CALL cuMemFreeAsync(Address address, void *stream) {
  USABLE;
  CHECK(outside_capture(stream));
  return free_memory(address);
}

CALL cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  USABLE;
  CHECK(refuse_in_any_capture());
  if (!pointer || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (posix_memalign(pointer, 4096, bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
  std::memset(*pointer, FRESH, bytes);
  host_allocations.insert(*pointer);
  return CUDA_SUCCESS;
}
CALL cuMemAllocHost_v2(void **pointer, size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }

CALL cuMemFreeHost(void *pointer) {
  USABLE;
  if (host_allocations.erase(pointer) == 0) return CUDA_ERROR_INVALID_VALUE;
  std::free(pointer);
  return CUDA_SUCCESS;
}

CALL cuMemHostRegister_v2(void *, size_t, unsigned) {
  USABLE;
  return CUDA_SUCCESS;
}
CALL cuMemHostUnregister(void *) {
  USABLE;
  return CUDA_SUCCESS;
}

CALL cuMemsetD8Async(Address to, unsigned char value, size_t count, void *stream) {
  USABLE;
  return set_memory(to, &value, 1, count, stream);
}
CALL cuMemsetD16Async(Address to, unsigned short value, size_t count, void *stream) {
  USABLE;
  return set_memory(to, &value, 2, count, stream);
}
CALL cuMemsetD32Async(Address to, unsigned value, size_t count, void *stream) {
  USABLE;
  return set_memory(to, &value, 4, count, stream);
}
CALL cuMemsetD8_v2(Address to, unsigned char value, size_t count) { return cuMemsetD8Async(to, value, count, nullptr); }
CALL cuMemsetD16_v2(Address to, unsigned short value, size_t count) { return cuMemsetD16Async(to, value, count, nullptr); }
CALL cuMemsetD32_v2(Address to, unsigned value, size_t count) { return cuMemsetD32Async(to, value, count, nullptr); }

CALL cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
  USABLE;
  return copy_memory(host(to), from, bytes, true, false, stream);
}
CALL cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
  USABLE;
  return copy_memory(to, host(from), bytes, false, true, stream);
}
CALL cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) {
  USABLE;
  return copy_memory(host(to), host(from), bytes, true, true, stream);
}
CALL cuMemcpyPeerAsync(Address to, void *, Address from, void *, size_t bytes, void *stream) {
  USABLE;
  return copy_memory(host(to), host(from), bytes, true, true, stream);
}
CALL cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) { return cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr); }
CALL cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) { return cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr); }
CALL cuMemcpyDtoD_v2(Address to, Address from, size_t bytes) { return cuMemcpyDtoDAsync_v2(to, from, bytes, nullptr); }

CALL cuDeviceGetDefaultMemPool(void **pool, int number) {
  DEVICE(number);
  *pool = &devices[size_t(number)]->pool;
  return CUDA_SUCCESS;
}
CALL cuDeviceGetMemPool(void **pool, int number) { return cuDeviceGetDefaultMemPool(pool, number); }

CALL cuMemPoolTrimTo(void *, size_t) { return CUDA_SUCCESS; }

// The first three attributes are an int, the others eight bytes.
CALL cuMemPoolSetAttribute(Pool *pool, int attribute, const void *value) {
  Guard guard(lock);
  if (!pool || attribute <= 0 || attribute >= 16) return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(&pool->attributes[attribute], value, attribute <= 3 ? 4 : 8);
  return CUDA_SUCCESS;
}
CALL cuMemPoolGetAttribute(Pool *pool, int attribute, void *value) {
  Guard guard(lock);
  if (!pool || attribute <= 0 || attribute >= 16) return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(value, &pool->attributes[attribute], attribute <= 3 ? 4 : 8);
  return CUDA_SUCCESS;
}

// --- streams and events ---

CALL cuStreamCreateWithPriority(Stream **stream, unsigned flags, int) {
  USABLE;
  if (flags > 1) return CUDA_ERROR_INVALID_VALUE;
  *stream = new Stream{current_device};
  streams.insert(*stream);
  return CUDA_SUCCESS;
}
CALL cuStreamCreate(Stream **stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }

CALL cuStreamDestroy_v2(Stream *stream) {
  Guard guard(lock);
  if (streams.erase(stream) == 0) return CUDA_ERROR_INVALID_HANDLE;
  if (Graph *graph = stream->capture) {
    graph->streams.erase(std::remove(graph->streams.begin(), graph->streams.end(), stream), graph->streams.end());
    graph->invalid = true;
  }
  delete stream;
  return CUDA_SUCCESS;
}

CALL cuStreamSynchronize(void *handle) {
  USABLE;
  Stream *stream = stream_of(handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  return refuse_in_capture(stream);
}

CALL cuStreamQuery(void *handle) { return cuStreamSynchronize(handle); }

CALL cuStreamWaitEvent(void *handle, Event *event, unsigned) {
  USABLE;
  Stream *stream = stream_of(handle);
  if (!stream || !events.count(event)) return CUDA_ERROR_INVALID_HANDLE;
  if (!event->recorded) return CUDA_SUCCESS;
  if (event->capture && event->capture != stream->capture) {
    if (stream->capture) return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    // The stream joins the capture of the one that recorded the event.
    stream->capture = event->capture;
    stream->begun_here = false;
    stream->joined = stream->mark;
    ++stream->mark;
    event->capture->streams.push_back(stream);
    return CUDA_SUCCESS;
  }
  if (stream->capture && !event->capture) {
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  }
  if (event->capture && event->stream != stream && streams.count(event->stream)) {
    event->stream->joined = std::max(event->stream->joined, event->mark);
    ++stream->mark;
  }
  return CUDA_SUCCESS;
}

CALL cuLaunchHostFunc(void *stream, void (*function)(void *), void *argument) {
  // Not under the lock: the function may take as long as it likes, though it may not call the driver.
  {
    USABLE;
    Stream *found = stream_of(stream);
    if (!found) return CUDA_ERROR_INVALID_HANDLE;
    if (found->capture) {
      return submit(stream, [=] {
        function(argument);
        return CUDA_SUCCESS;
      });
    }
  }
  function(argument);
  return CUDA_SUCCESS;
}

CALL cuEventCreate(Event **event, unsigned flags) {
  USABLE;
  if (flags > 7) return CUDA_ERROR_INVALID_VALUE;
  *event = new Event{};
  (*event)->device = current_device;
  (*event)->timed = !(flags & 2);
  events.insert(*event);
  return CUDA_SUCCESS;
}

CALL cuEventDestroy_v2(Event *event) {
  Guard guard(lock);
  if (events.erase(event) == 0) return CUDA_ERROR_INVALID_HANDLE;
  delete event;
  return CUDA_SUCCESS;
}

CALL cuEventRecord(Event *event, void *handle) {
  USABLE;
  Stream *stream = stream_of(handle);
  if (!stream || !events.count(event) || event->device != stream->device) return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture && stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  event->recorded = true;
  event->at = std::chrono::steady_clock::now();
  event->capture = stream->capture;
  event->stream = stream;
  event->mark = stream->mark;
  return CUDA_SUCCESS;
}

CALL cuEventQuery(Event *event) {
  USABLE;
  if (!events.count(event)) return CUDA_ERROR_INVALID_HANDLE;
  if (event->capture) {
    event->capture->invalid = true;
    return CUDA_ERROR_CAPTURED_EVENT;
  }
  return CUDA_SUCCESS;
}
CALL cuEventSynchronize(Event *event) { return cuEventQuery(event); }

CALL cuEventElapsedTime(float *milliseconds, Event *begin, Event *end) {
  USABLE;
  if (!events.count(begin) || !events.count(end)) return CUDA_ERROR_INVALID_HANDLE;
  if (!begin->recorded || !end->recorded || !begin->timed || !end->timed) return CUDA_ERROR_INVALID_HANDLE;
  *milliseconds = std::chrono::duration<float, std::milli>(end->at - begin->at).count();
  return CUDA_SUCCESS;
}

// --- captured graphs ---

CALL cuStreamBeginCapture_v2(void *handle, int mode) {
  USABLE;
  Stream *stream = stream_of(handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  if (mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
  // The default stream cannot be captured.
  if (!streams.count(stream)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (stream->capture) return CUDA_ERROR_INVALID_VALUE;
  Graph *graph = new Graph;
  graphs.insert(graph);
  graph->streams.push_back(stream);
  stream->capture = graph;
  stream->begun_here = true;
  return CUDA_SUCCESS;
}

CALL cuStreamIsCapturing(void *handle, int *status) {
  Guard guard(lock);
  CHECK(usable());
  Stream *stream = stream_of(handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  *status = !stream->capture ? 0 : stream->capture->invalid ? 2 : 1;
  return CUDA_SUCCESS;
}

CALL cuStreamEndCapture(void *handle, Graph **out) {
  USABLE;
  Stream *stream = stream_of(handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  *out = nullptr;
  Graph *graph = stream->capture;
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  if (!stream->begun_here) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  CUresult result = graph->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
  for (Stream *other : graph->streams) {
    if (other != stream && other->joined < other->mark && result == CUDA_SUCCESS) result = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  }
  end_capture(graph);
  for (Event *event : events) {
    // An event of a capture that is over has nothing to wait for.
    if (event->capture == graph) {
      event->capture = nullptr;
      event->recorded = false;
    }
  }
  if (result != CUDA_SUCCESS) {
    graphs.erase(graph);
    delete graph;
    return result;
  }
  *out = graph;
  return CUDA_SUCCESS;
}

CALL cuGraphInstantiateWithFlags(Executable **out, Graph *graph, unsigned long long flags) {
  USABLE;
  // Freeing on launch and launching from the device exclude each other.
  if (!graphs.count(graph) || flags > 15 || (flags & 5) == 5) return CUDA_ERROR_INVALID_VALUE;
  if (flags & 4) return CUDA_ERROR_NOT_SUPPORTED;
  *out = new Executable{graph->operations};
  executables.insert(*out);
  return CUDA_SUCCESS;
}

CALL cuGraphGetNodes(Graph *graph, void **nodes, size_t *count) {
  USABLE;
  if (!graphs.count(graph) || nodes) return CUDA_ERROR_INVALID_VALUE;
  *count = graph->operations.size();
  return CUDA_SUCCESS;
}

CALL cuGraphUpload(Executable *executable, void *handle) {
  USABLE;
  return executables.count(executable) && stream_of(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CALL cuGraphLaunch(Executable *executable, void *handle) {
  USABLE;
  if (!executables.count(executable)) return CUDA_ERROR_INVALID_VALUE;
  std::vector<Operation> operations = executable->operations;
  return submit(handle, [operations] { return play(operations); });
}

CALL cuGraphExecDestroy(Executable *executable) {
  Guard guard(lock);
  if (executables.erase(executable) == 0) return CUDA_ERROR_INVALID_VALUE;
  delete executable;
  return CUDA_SUCCESS;
}

CALL cuGraphDestroy(Graph *graph) {
  Guard guard(lock);
  if (graphs.erase(graph) == 0) return CUDA_ERROR_INVALID_VALUE;
  end_capture(graph);
  delete graph;
  return CUDA_SUCCESS;
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
CALL cuModuleLoadDataEx(Module **out, const void *image, unsigned, void *, void *) { return cuModuleLoadData(out, image); }

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
  while (kernel && (kernel->architecture != module->architecture || std::strcmp(kernel->name, name) != 0)) kernel = kernel->next;
  if (!kernel) {
    std::fprintf(stderr, "emulator: the PTX has a kernel %s, but no .cu that was compiled for %d has KERNEL(%s)\n", name,
                 module->architecture, name);
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

CALL cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, Function *function, int threads, size_t shared_bytes,
                                                         unsigned) {
  USABLE;
  return occupancy(blocks, function, threads, shared_bytes);
}
CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function *function, int threads, size_t shared_bytes) {
  USABLE;
  return occupancy(blocks, function, threads, shared_bytes);
}

CALL cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                    unsigned block_z, unsigned shared_bytes, void *stream, void **parameters, void **extra) {
  Guard guard(lock);
  if (extra) return CUDA_ERROR_NOT_SUPPORTED;
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

// --- what cudarc can call and is not emulated: an error, where a missing symbol would be a panic ---

#define NOT_EMULATED(name)                                                                                             \
  CALL name() {                                                                                                        \
    std::fprintf(stderr, "emulator: " #name " is not emulated\n");                                                     \
    return CUDA_ERROR_NOT_SUPPORTED;                                                                                   \
  }
NOT_EMULATED(cuCtxCreate_v3)
NOT_EMULATED(cuCtxDestroy_v2)
NOT_EMULATED(cuCtxGetLimit)
NOT_EMULATED(cuCtxSetLimit)
NOT_EMULATED(cuCtxGetCacheConfig)
NOT_EMULATED(cuCtxSetCacheConfig)
NOT_EMULATED(cuDeviceSetMemPool)
NOT_EMULATED(cuLaunchCooperativeKernel)
NOT_EMULATED(cuMemAllocManaged)
NOT_EMULATED(cuMemPoolCreate)
NOT_EMULATED(cuMemPoolDestroy)
NOT_EMULATED(cuModuleGetGlobal_v2)
NOT_EMULATED(cuOccupancyAvailableDynamicSMemPerBlock)
NOT_EMULATED(cuOccupancyMaxActiveClusters)
NOT_EMULATED(cuOccupancyMaxPotentialBlockSize)
NOT_EMULATED(cuOccupancyMaxPotentialBlockSizeWithFlags)
NOT_EMULATED(cuOccupancyMaxPotentialClusterSize)
NOT_EMULATED(cuStreamAttachMemAsync)
