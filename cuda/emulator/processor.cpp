// The processor that plays the GPU: fibres, what they wait for, and the instructions that threads execute together.
// The driver calls `run` under its lock, so there is one launch at a time and the state is global.
#include "processor.hpp"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a call keeps on the stack that is left, and takes those of the stack that is entered.
// Processors for which that is not written here have the slower switch of the C library.
#if defined(EMULATOR_UCONTEXT)
// That of the C library.
#elif defined(__x86_64__)
extern "C" void emulator_switch(void **left, void *entered);
asm(R"(
.text
.type emulator_switch, @function
.hidden emulator_switch
.globl emulator_switch
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch, .-emulator_switch
)");
#elif defined(__aarch64__)
extern "C" void emulator_switch(void **left, void *entered);
asm(R"(
.text
.type emulator_switch, %function
.hidden emulator_switch
.globl emulator_switch
emulator_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size emulator_switch, .-emulator_switch
)");
#endif

namespace emulator {

Processor processor;
const Kernel *kernels = nullptr;
uint3 thread_index, block_index;
dim3 block_size, grid_size;

namespace {

sigjmp_buf fault_return;
volatile sig_atomic_t guarded = 0;
pthread_t guarded_thread;

// --- switching ---

[[noreturn]] void fibre();

#ifdef EMULATOR_UCONTEXT
void fibre_of_ucontext() { fibre(); }
#endif

void set_current(Thread *thread) {
    processor.current = thread;
    if (thread) thread_index = thread->index;
}

// Leaves `from` (null: the scheduler) for `to` (null: the scheduler).
void switch_between(Thread *from, Thread *to, bool forever = false) {
    set_current(to);
    if (from == to) return;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(forever ? nullptr
                                   : from  ? &from->sanitizer
                                           : &processor.scheduler_sanitizer,
                                   to ? to->stack : processor.scheduler_stack,
                                   to ? STACK_BYTES : processor.scheduler_stack_bytes);
#else
    (void)forever;
#endif
#ifdef EMULATOR_UCONTEXT
    swapcontext(from ? &from->context : &processor.scheduler, to ? &to->context : &processor.scheduler);
#else
    emulator_switch(from ? &from->stack_pointer : &processor.scheduler, to ? to->stack_pointer : processor.scheduler);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(from ? from->sanitizer : processor.scheduler_sanitizer, nullptr, nullptr);
#endif
}

void make_stacks() {
    size_t each = STACK_BYTES + STACK_GUARD_BYTES;
    void *all =
        mmap(nullptr, each * MOST_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) {
        std::perror("emulator: no memory for stacks");
        std::abort();
    }
    processor.stacks_begin = all;
    processor.stacks_end = static_cast<unsigned char *>(all) + each * MOST_THREADS;
    for (unsigned i = MOST_THREADS; i-- > 0;) {
        unsigned char *guard = static_cast<unsigned char *>(all) + i * each;
        mprotect(guard, STACK_GUARD_BYTES, PROT_NONE);
        processor.free_stacks.push_back(guard + STACK_GUARD_BYTES);
    }
}

void prepare_fresh(Thread *thread) {
    thread->stack = processor.free_stacks.back();
    processor.free_stacks.pop_back();
    thread->state = State::READY;
    thread->sanitizer = nullptr;
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(thread->stack, STACK_BYTES);
#endif
#if defined(EMULATOR_UCONTEXT)
    getcontext(&thread->context);
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = STACK_BYTES;
    thread->context.uc_link = nullptr;
    makecontext(&thread->context, fibre_of_ucontext, 0);
#elif defined(__x86_64__)
    // As if `fibre` had been called: the stack pointer is 8 past a multiple of 16 when it begins.
    void **top = reinterpret_cast<void **>(thread->stack + STACK_BYTES) - 1;
    *top = nullptr;
    *--top = reinterpret_cast<void *>(&fibre);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    thread->stack_pointer = top;
#else
    void **top = reinterpret_cast<void **>(thread->stack + STACK_BYTES) - 20;
    std::memset(top, 0, 160);
    top[11] = reinterpret_cast<void *>(&fibre);
    thread->stack_pointer = top;
#endif
}

} // namespace

void make_ready(Thread *thread) {
    if (thread->state == State::WAITING) thread->state = State::READY;
    processor.queue[(processor.queue_first + processor.queue_length++) % processor.count] = thread->number;
}

namespace {

Thread *next_ready() {
    if (processor.queue_length == 0) return nullptr;
    Thread *thread = &processor.threads[processor.queue[processor.queue_first]];
    processor.queue_first = (processor.queue_first + 1) % processor.count;
    --processor.queue_length;
    if (thread->state == State::FRESH) prepare_fresh(thread);
    return thread;
}

} // namespace

void wait(const char *reason) {
    Thread *self = processor.current;
    self->state = State::WAITING;
    self->waiting_for = reason;
    switch_between(self, next_ready());
}

namespace {

// --- failure ---

void describe_place() {
    const Launch *launch = processor.launch;
    std::fprintf(stderr, "emulator: kernel %s, block (%u, %u, %u)", launch->kernel->name, block_index.x, block_index.y,
                 block_index.z);
    if (processor.current) {
        const uint3 &index = processor.current->index;
        std::fprintf(stderr, ", thread (%u, %u, %u)", index.x, index.y, index.z);
    }
    std::fprintf(stderr, ": ");
}

void report_deadlock() {
    describe_place();
    std::fprintf(stderr, "deadlock, since every thread waits:\n");
    std::vector<const char *> reasons;
    for (unsigned i = 0; i < processor.count; ++i) {
        Thread &thread = processor.threads[i];
        if (thread.state != State::WAITING) continue;
        bool told = false;
        for (const char *reason : reasons) told = told || reason == thread.waiting_for;
        if (told) continue;
        reasons.push_back(thread.waiting_for);
        unsigned alike = 0;
        for (unsigned j = i; j < processor.count; ++j) {
            const Thread &other = processor.threads[j];
            alike += other.state == State::WAITING && other.waiting_for == thread.waiting_for;
        }
        std::fprintf(stderr, "emulator:   %u threads at %s, the first is (%u, %u, %u)", alike, thread.waiting_for,
                     thread.index.x, thread.index.y, thread.index.z);
        if (thread.barrier) describe_barrier(thread);
        std::fprintf(stderr, "\n");
    }
    unsigned exited = 0;
    for (unsigned i = 0; i < processor.count; ++i) exited += processor.threads[i].state == State::EXITED;
    if (exited) std::fprintf(stderr, "emulator:   %u threads have returned\n", exited);
}

void on_fault(int signal, siginfo_t *information, void *) {
    if (!guarded || !pthread_equal(pthread_self(), guarded_thread)) {
        // Not ours: the instruction is executed again, now without this handler.
        ::signal(signal, SIG_DFL);
        return;
    }
    describe_place();
    if (signal == SIGFPE) {
        std::fprintf(stderr, "an integer is divided by 0\n");
    } else if (information->si_addr >= processor.stacks_begin && information->si_addr < processor.stacks_end) {
        std::fprintf(stderr, "the thread's stack of %zu bytes is used up\n", STACK_BYTES);
    } else {
        std::fprintf(stderr, "an address that is not memory: %p\n", information->si_addr);
    }
    siglongjmp(fault_return, signal);
}

// --- threads that wait for each other ---

const char *const BLOCK_BARRIER = "__syncthreads";

void release_block() {
    processor.at_barrier = 0;
    processor.counted_result = processor.counted;
    processor.counted = 0;
    for (unsigned i = 0; i < processor.count; ++i) {
        Thread &thread = processor.threads[processor.backward ? processor.count - 1 - i : i];
        if (thread.state == State::WAITING && thread.waiting_for == BLOCK_BARRIER) make_ready(&thread);
    }
}

bool is_complete(const Warp &warp, const Meeting &meeting) {
    return (meeting.mask & warp.live & ~meeting.arrived) == 0;
}

// Executes a meeting that is complete and lets its lanes go on; `self` goes on by itself.
void conclude(unsigned warp_number, size_t place, Thread *self) {
    Warp &warp = processor.warps[warp_number];
    Meeting meeting = warp.meetings[place];
    warp.meetings.erase(warp.meetings.begin() + long(place));
    execute(meeting.kind, meeting);
    for (unsigned i = 0; i < WARP; ++i) {
        unsigned lane = processor.backward ? WARP - 1 - i : i;
        if (!(meeting.arrived >> lane & 1)) continue;
        Thread *thread = &processor.threads[warp_number * WARP + lane];
        if (thread != self) make_ready(thread);
    }
}

} // namespace

void meet(unsigned mask, int kind, void *operand) {
    Thread *self = processor.current;
    unsigned number = self->number / WARP, lane = self->number % WARP;
    Warp &warp = processor.warps[number];
    if (!(mask >> lane & 1))
        fail(LAUNCH_FAILED, "%s: the mask %#x leaves out the lane %u that calls it", name_of(kind), mask, lane);
    size_t place = 0;
    while (place < warp.meetings.size()) {
        const Meeting &meeting = warp.meetings[place];
        if (meeting.mask == mask && meeting.kind == kind && !(meeting.arrived >> lane & 1)) break;
        ++place;
    }
    if (place == warp.meetings.size()) warp.meetings.push_back(Meeting{mask, kind, 0, {}});
    Meeting &meeting = warp.meetings[place];
    meeting.operands[lane] = operand;
    meeting.arrived |= 1u << lane;
    if (is_complete(warp, meeting)) {
        conclude(number, place, self);
    } else {
        wait(name_of(kind));
    }
}

namespace {} // namespace

// Whether all threads of the four warps are here; the last of them goes on at once, after `then`.
void meet_group(const char *reason, void (*then)(unsigned group)) {
    Thread *self = processor.current;
    unsigned number = self->number / GROUP;
    if ((number + 1) * GROUP > processor.count) fail(LAUNCH_FAILED, "%s: the block ends within the four warps", reason);
    Group &group = processor.groups[number];
    if (++group.arrived < GROUP) {
        wait(reason);
        return;
    }
    group.arrived = 0;
    for (unsigned i = 0; i < GROUP; ++i) {
        const Thread &thread = processor.threads[number * GROUP + i];
        if (&thread != self && (thread.state != State::WAITING || thread.waiting_for != reason)) {
            fail(LAUNCH_FAILED, "%s: threads of the four warps are at different instructions", reason);
        }
    }
    then(number);
    for (unsigned i = 0; i < GROUP; ++i) {
        Thread &thread = processor.threads[number * GROUP + (processor.backward ? GROUP - 1 - i : i)];
        if (&thread != self) make_ready(&thread);
    }
}

namespace {

void leave() {
    Thread *self = processor.current;
    if (!self->issued.empty()) {
        fail(LAUNCH_FAILED, "a thread returned before group_wait covered the products that it issued");
    }
    self->state = State::EXITED;
    processor.free_stacks.push_back(self->stack);
    --processor.live;
    unsigned number = self->number / WARP;
    Warp &warp = processor.warps[number];
    warp.live &= ~(1u << self->number % WARP);
    for (size_t place = 0; place < warp.meetings.size();) {
        if (is_complete(warp, warp.meetings[place])) {
            conclude(number, place, self);
        } else {
            ++place;
        }
    }
    if (processor.at_barrier && processor.at_barrier == processor.live) release_block();
}

[[noreturn]] void fibre() {
#if defined(__SANITIZE_ADDRESS__)
    const void *stack = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(nullptr, &stack, &bytes);
    // The first fibre of a launch is entered from the scheduler.
    if (!processor.scheduler_stack) {
        processor.scheduler_stack = stack;
        processor.scheduler_stack_bytes = bytes;
    }
#endif
    processor.launch->kernel->call(processor.launch->parameters);
    Thread *self = processor.current;
    leave();
    switch_between(self, nullptr, true);
    std::abort();
}

// --- blocks ---

void run_block() {
    Processor &p = processor;
    const Launch &launch = *p.launch;
    p.queue_first = p.queue_length = 0;
    p.live = p.count;
    p.at_barrier = p.counted = 0;
    p.barriers.clear();
    p.barriers_fenced = true;
    p.bulk_copies.clear();
    p.pollers.clear();
    for (Group &group : p.groups) group.arrived = 0;
    for (unsigned i = 0; i < p.warps.size(); ++i) {
        unsigned lanes = std::min(WARP, p.count - i * WARP);
        p.warps[i].live = lanes == WARP ? ~0u : (1u << lanes) - 1;
        p.warps[i].meetings.clear();
    }
    for (unsigned i = 0; i < p.count; ++i) {
        Thread &thread = p.threads[i];
        thread.number = i;
        thread.index = {i % launch.block.x, i / launch.block.x % launch.block.y, i / launch.block.x / launch.block.y};
        thread.state = State::FRESH;
        thread.waiting_for = nullptr;
        thread.copies.clear();
        thread.copy_groups.clear();
        thread.issued.clear();
        thread.issued_groups.clear();
        thread.registers_fenced = false;
        thread.barrier = nullptr;
    }
    for (unsigned i = 0; i < p.count; ++i) make_ready(&p.threads[p.backward ? p.count - 1 - i : i]);
    while (p.live) {
        Thread *thread = next_ready();
        if (!thread) {
            if (progress()) continue;
            report_deadlock();
            p.result = LAUNCH_FAILED;
            throw Failed{};
        }
        switch_between(nullptr, thread);
        if (p.result != FINISHED) throw Failed{};
    }
    if (!p.bulk_copies.empty()) fail(LAUNCH_FAILED, "the block ended before its bulk copies had landed");
    for (unsigned char *at = p.arena + launch.shared_bytes; at < p.shared_end; ++at) {
        if (*at != CANARY)
            fail(ILLEGAL_ADDRESS, "something was written past the %u bytes of dynamic shared memory",
                 launch.shared_bytes);
    }
}

void make_arena(unsigned bytes) {
    Processor &p = processor;
#if defined(__SANITIZE_ADDRESS__)
    std::free(p.shared_begin);
    void *memory = nullptr;
    if (posix_memalign(&memory, 128, std::max(bytes, 1u))) std::abort();
    p.shared_begin = p.arena = static_cast<unsigned char *>(memory);
    p.shared_end = p.arena + bytes;
#else
    // The memory ends, but for what aligns it, at a page that cannot be touched, and begins after one if it is the
    // most.
    if (!p.shared_begin) {
        size_t page = size_t(sysconf(_SC_PAGESIZE)), room = (MOST_DYNAMIC + page - 1) / page * page;
        void *all = mmap(nullptr, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) std::abort();
        p.shared_begin = static_cast<unsigned char *>(all) + page;
        p.shared_end = p.shared_begin + room;
        if (mprotect(p.shared_begin, room, PROT_READ | PROT_WRITE)) std::abort();
    }
    p.arena = p.shared_end - (bytes + 127) / 128 * 128;
#endif
}

bool is_set(const char *variable, const char *value) {
    const char *set = std::getenv(variable);
    return set && std::strcmp(set, value) == 0;
}

void run_blocks() {
    Processor &p = processor;
    const Launch &launch = *p.launch;
    unsigned long long blocks = (unsigned long long)launch.grid.x * launch.grid.y * launch.grid.z;
    for (unsigned long long i = 0; i < blocks; ++i) {
        unsigned long long number = p.backward ? blocks - 1 - i : i;
        block_index = {unsigned(number % launch.grid.x), unsigned(number / launch.grid.x % launch.grid.y),
                       unsigned(number / launch.grid.x / launch.grid.y)};
        std::memset(p.arena, POISON, launch.shared_bytes);
        std::memset(p.arena + launch.shared_bytes, CANARY, size_t(p.shared_end - p.arena) - launch.shared_bytes);
        if (i < POISONED_BLOCKS && static_bytes()) std::memset(__start_haploom_shared, POISON, static_bytes());
        run_block();
    }
}

} // namespace

Result run(const Launch &launch) {
    Processor &p = processor;
    p.launch = &launch;
    p.result = FINISHED;
    p.early = is_set("HAPLOOM_EMULATED_COPIES", "early");
    p.backward = is_set("HAPLOOM_EMULATED_ORDER", "backward");
    p.count = launch.block.x * launch.block.y * launch.block.z;
    p.current = nullptr;
    if (p.threads.size() < p.count) p.threads.resize(p.count);
    if (p.queue.size() < p.count) p.queue.resize(p.count);
    p.warps.resize((p.count + WARP - 1) / WARP);
    p.groups.resize((p.count + GROUP - 1) / GROUP);
    if (p.free_stacks.empty()) make_stacks();
    std::vector<unsigned char *> stacks = p.free_stacks;
    make_arena(launch.shared_bytes);
    p.scheduler_stack = nullptr;
    block_size = launch.block;
    grid_size = launch.grid;

#if !defined(__SANITIZE_ADDRESS__)
    static unsigned char *const own_stack = static_cast<unsigned char *>(std::malloc(64 << 10));
    stack_t previous_stack{}, stack{};
    sigaltstack(nullptr, &previous_stack);
    if (previous_stack.ss_flags & SS_DISABLE) {
        stack.ss_sp = own_stack;
        stack.ss_size = 64 << 10;
        sigaltstack(&stack, nullptr);
    }
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction action{}, previous[3];
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 3; ++i) sigaction(signals[i], &action, &previous[i]);
    guarded_thread = pthread_self();
    if (sigsetjmp(fault_return, 1)) {
        processor.result = ILLEGAL_ADDRESS;
    } else {
        guarded = 1;
#endif
        try {
            run_blocks();
        } catch (const Failed &) {
        }
#if !defined(__SANITIZE_ADDRESS__)
    }
    guarded = 0;
    for (int i = 0; i < 3; ++i) sigaction(signals[i], &previous[i], nullptr);
    if (previous_stack.ss_flags & SS_DISABLE) sigaltstack(&previous_stack, nullptr);
#endif
    // Fibres of a launch that failed are left as they are; their stacks are free again.
    p.free_stacks = stacks;
    p.current = nullptr;
    return p.result;
}

void fail(Result result, const char *format, ...) {
    describe_place();
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fprintf(stderr, "\n");
    processor.result = result;
    Thread *self = processor.current;
    if (!self) throw Failed{};
    switch_between(self, nullptr, true);
    std::abort();
}

void assertion_failed(const char *condition, const char *file, int line) {
    fail(ASSERTION, "%s:%d: assertion failed: %s", file, line, condition);
}

unsigned lane() { return processor.current->number % WARP; }
unsigned char *dynamic_shared() { return processor.arena; }

int wait_block_counting(bool predicate) {
    processor.counted += predicate;
    if (++processor.at_barrier == processor.live) {
        release_block();
    } else {
        wait(BLOCK_BARRIER);
    }
    return int(processor.counted_result);
}
void wait_block() { wait_block_counting(false); }
void wait_warp(unsigned mask) { meet(mask, SYNCWARP, nullptr); }

void give_way() {
    progress();
    Thread *self = processor.current;
    make_ready(self);
    switch_between(self, next_ready());
}

} // namespace emulator
