// The driver that plays libcuda.so.1: the calls that the crate cudarc makes, over memory of the host and the processor
// that plays the GPU (processor.cpp). Streams run what they are given at once and in order, under one lock.
//
// HAPLOOM_EMULATED_DEVICES (1), HAPLOOM_EMULATED_CAPABILITY (8.0), HAPLOOM_EMULATED_MEMORY (4096 MiB a device) and
// HAPLOOM_EMULATED_DRIVER_VERSION (12040) say what is played; they are read by cuInit, the first time. With
// HAPLOOM_EMULATED_FAILURE=1 every launch fails.
#include "driver.hpp"

#include <algorithm>
#include <cstdlib>

using namespace driver;

namespace driver {

std::mutex lock;
bool initialised = false;
std::vector<std::unique_ptr<Device>> devices;
int major, minor, driver_version;
size_t memory_bytes;
std::map<Address, Allocation> allocations;
std::set<void *> host_allocations;
std::vector<Coming> coming;

void come(const Stream *stream) {
    auto waited = [&](const Coming &copy) {
        if (stream && copy.stream != stream) return false;
        std::memcpy(copy.to, copy.from, copy.bytes);
        return true;
    };
    coming.erase(std::remove_if(coming.begin(), coming.end(), waited), coming.end());
}

bool still_coming(const void *begin, size_t bytes) {
    auto within = [&](const void *at) {
        return static_cast<const char *>(at) >= static_cast<const char *>(begin) &&
               static_cast<const char *>(at) < static_cast<const char *>(begin) + bytes;
    };
    for (const Coming &copy : coming) {
        if (!within(copy.to) && !within(copy.from)) continue;
        std::fprintf(stderr, "emulator: memory is given back while a copy is under way\n");
        return true;
    }
    return false;
}
std::set<Stream *> streams;
std::set<Event *> events;
std::set<Module *> modules;
std::set<Graph *> graphs;
std::set<Executable *> executables;
std::map<std::pair<Module *, std::string>, std::unique_ptr<Function>> functions;
std::vector<std::unique_ptr<Stream>> default_streams;
thread_local Device *current_device = nullptr;

const char *setting(const char *variable, const char *otherwise) {
    const char *value = std::getenv(variable);
    return value && *value ? value : otherwise;
}

CUresult usable() {
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!current_device) return CUDA_ERROR_INVALID_CONTEXT;
    if (!current_device->retained) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return current_device->error;
}
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
    case MULTIPROCESSOR_COUNT: return 5;
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

} // namespace driver

namespace {

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
    if (still_coming(reinterpret_cast<const void *>(found->first), allocation.bytes)) {
        result = device.error = CUDA_ERROR_ILLEGAL_ADDRESS;
        come(nullptr);
    }
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

} // namespace

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

#define DEVICE(number)                                   \
    Guard guard(lock);                                   \
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED; \
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
    come(nullptr);
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
    if (still_coming(pointer, 1)) return current_device->error = CUDA_ERROR_ILLEGAL_ADDRESS;
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
CALL cuMemsetD16_v2(Address to, unsigned short value, size_t count) {
    return cuMemsetD16Async(to, value, count, nullptr);
}
CALL cuMemsetD32_v2(Address to, unsigned value, size_t count) { return cuMemsetD32Async(to, value, count, nullptr); }

CALL cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
    USABLE;
    return copy_memory(host(to), from, bytes, true, false, stream);
}
CALL cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
    USABLE;
    // Into page-locked memory a copy comes when it is waited for.
    Stream *copies = stream_of(stream);
    if (copies && !copies->capture && host_allocations.count(to)) {
        coming.push_back({copies, to, host(from), bytes});
        return CUDA_SUCCESS;
    }
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
CALL cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) {
    return cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr);
}
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
