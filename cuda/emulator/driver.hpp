// What the two halves of the driver that plays libcuda.so.1 share: its objects, its state, and how a call begins.
#pragma once

#define EMULATOR_ITSELF
#include "device.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace driver {

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

extern std::mutex lock;
extern bool initialised;
extern std::vector<std::unique_ptr<Device>> devices;
extern int major, minor, driver_version;
extern size_t memory_bytes;
extern std::map<Address, Allocation> allocations;
extern std::set<void *> host_allocations;
// Copies into page-locked memory that nobody has waited for yet.
struct Coming {
    Stream *stream;
    void *to;
    const void *from;
    size_t bytes;
};
extern std::vector<Coming> coming;
// Has those of a stream come; of all streams if it is null.
void come(const Stream *stream);
// Whether one still reads or writes this memory: giving it back is a mistake, and is told.
bool still_coming(const void *begin, size_t bytes);
// A call that is not allowed while a stream, or any of the device, captures makes the capture invalid.
CUresult refuse_in_capture(Stream *stream);
CUresult refuse_in_any_capture();
extern std::set<Stream *> streams;
extern std::set<Event *> events;
extern std::set<Module *> modules;
extern std::set<Graph *> graphs;
extern std::set<Executable *> executables;
extern std::map<std::pair<Module *, std::string>, std::unique_ptr<Function>> functions;
extern std::vector<std::unique_ptr<Stream>> default_streams;
extern thread_local Device *current_device;

using Guard = std::lock_guard<std::mutex>;

// The value of an environment variable, or what holds where it is not set.
const char *setting(const char *variable, const char *otherwise);
// What a call is refused for before anything is done: no cuInit, no current context, an earlier failure.
CUresult usable();
// The stream behind a handle: null, 1 and 2 are the default streams of the current context.
Stream *stream_of(void *handle);
bool in_allocation(Address address, size_t bytes);
// Does the operation now, or records it in the graph that the stream captures.
CUresult submit(void *handle, Operation operation);
int attribute_of_device(int attribute);
void unload(Module *module);

// Attributes of a device that are answered by name here.
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
} // namespace driver

#define CHECK(call)                                  \
    do {                                             \
        CUresult checked = (call);                   \
        if (checked != CUDA_SUCCESS) return checked; \
    } while (0)
#define USABLE         \
    Guard guard(lock); \
    CHECK(usable())
#define CALL extern "C" __attribute__((visibility("default"))) CUresult
