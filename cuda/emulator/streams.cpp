// Streams, events and graphs of the driver that plays libcuda.so.1: streams run what they are given at once and in order, but for
// copies into page-locked memory, which come when they are waited for.
#include "driver.hpp"

using namespace driver;

namespace {

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

} // namespace

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
    come(stream);
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
CALL cuEventSynchronize(Event *event) {
    {
        USABLE;
        if (events.count(event) && event->recorded && event->stream) come(event->stream);
    }
    return cuEventQuery(event);
}

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
        if (other != stream && other->joined < other->mark && result == CUDA_SUCCESS)
            result = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
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

// --- what cudarc can call and is not emulated: an error, where a missing symbol would be a panic ---

#define NOT_EMULATED(name)                                             \
    CALL name() {                                                      \
        std::fprintf(stderr, "emulator: " #name " is not emulated\n"); \
        return CUDA_ERROR_NOT_SUPPORTED;                               \
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
