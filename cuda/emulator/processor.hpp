// What the processor that plays the GPU is made of: threads as fibres, warps and groups of four warps that meet, and
// the shared memory of the block that runs. There is one launch at a time, under the driver's lock, so the state is
// global.
#pragma once

#define EMULATOR_ITSELF
#include "device.hpp"

#include <deque>
#include <vector>

#if defined(EMULATOR_UCONTEXT) || !(defined(__x86_64__) || defined(__aarch64__))
#undef EMULATOR_UCONTEXT
#define EMULATOR_UCONTEXT 1
#include <ucontext.h>
#endif

// The edges of the section that holds shared variables; weak, since a build may have none.
extern "C" {
extern unsigned char __start_haploom_shared[] __attribute__((weak, visibility("hidden")));
extern unsigned char __stop_haploom_shared[] __attribute__((weak, visibility("hidden")));
}

namespace emulator {

constexpr unsigned WARP = 32, GROUP = 128;
constexpr unsigned MOST_THREADS = 1024;
// Shared memory as instructions address it: the system's kibibyte, what the launch asked for, shared variables. A
// matrix descriptor holds 18 bits of an address, so all of it has to lie below 2^18.
constexpr unsigned DYNAMIC_BASE = 1024, MOST_DYNAMIC = 232448, STATIC_BASE = DYNAMIC_BASE + MOST_DYNAMIC;
// NaN as a float, -1 as an integer: what an unset variable should do no good as.
constexpr int POISON = 0xff, CANARY = 0xc3;
// A frame touches its stack at least every 64 KiB (-fstack-clash-protection on aarch64), which the guard must not be
// less than.
constexpr size_t STACK_BYTES = 256 << 10, STACK_GUARD_BYTES = 64 << 10;
// Blocks of a launch before which shared variables are poisoned; clearing all of them before each of many thousands
// costs.
constexpr unsigned long long POISONED_BLOCKS = 256;

struct Copy {
    void *to;
    const void *from;
};

struct BulkCopy {
    void *to;
    const void *from;
    unsigned bytes;
    unsigned long long *barrier;
};

enum class Product { UNSIGNED, SIGNED, BF16 };

// A product of four warps that a thread has issued. Its factors in registers are held by value, as the compiler keeps
// them until the product is done; its sums are the thread's own variables, which must stay where they are until then.
struct Issued {
    Product product;
    unsigned columns;
    // Whether what is in the sums is added to, or forgotten.
    bool adds;
    void *sums;
    unsigned a[4];
    unsigned long long b;
};

enum class State { FRESH, READY, WAITING, EXITED };

struct Thread {
    uint3 index;
    unsigned number;
    State state;
    const char *waiting_for;
#ifdef EMULATOR_UCONTEXT
    ucontext_t context;
#else
    void *stack_pointer;
#endif
    unsigned char *stack;
    void *sanitizer;
    // Copies under way, oldest first, and where each closed group of them ends.
    std::vector<Copy> copies;
    std::vector<size_t> copy_groups;
    std::vector<Issued> issued;
    std::vector<size_t> issued_groups;
    bool registers_fenced;
    unsigned groups_left;
    unsigned long long *barrier;
    unsigned parity;
};

// Lanes that wait for each other at one instruction. Lanes of other masks, or at another instruction, meet elsewhere.
struct Meeting {
    unsigned mask;
    int kind;
    unsigned arrived;
    void *operands[WARP];
};

struct Warp {
    unsigned live;
    std::vector<Meeting> meetings;
};

struct Group {
    unsigned arrived;
};

struct Failed {};

struct Processor {
    const Launch *launch;
    Result result;
    bool early, backward;
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    std::vector<Group> groups;
    unsigned count;
    // Threads that can run: a ring with room for all.
    std::vector<unsigned> queue;
    size_t queue_first, queue_length;
    Thread *current;
    unsigned live, at_barrier, counted, counted_result;
    unsigned char *arena;
    std::vector<unsigned long long *> barriers;
    bool barriers_fenced;
    std::deque<BulkCopy> bulk_copies;
    std::vector<Thread *> pollers;
    std::vector<unsigned char *> free_stacks;
    void *stacks_begin, *stacks_end;
#ifdef EMULATOR_UCONTEXT
    ucontext_t scheduler;
#else
    void *scheduler;
#endif
    void *scheduler_sanitizer;
    const void *scheduler_stack;
    size_t scheduler_stack_bytes;
    unsigned char *shared_begin, *shared_end;
};
extern Processor processor;

inline size_t static_bytes() {
    return __start_haploom_shared ? size_t(__stop_haploom_shared - __start_haploom_shared) : 0;
}

// Puts a thread that waits, or has not begun, at the end of those that can run.
void make_ready(Thread *thread);
// Leaves the current thread for the next that can run, until somebody makes it ready.
void wait(const char *reason);
// Waits for the other lanes of the mask at the same instruction; the last one executes it for all, with their operands.
void meet(unsigned mask, int kind, void *operand);
// Waits for all threads of the four warps; the last one executes `then` for all.
void meet_group(const char *reason, void (*then)(unsigned group));

// What lanes meet for; reductions and shuffles are EXCHANGE and more, by what they combine (instructions.cpp).
enum Kind { SYNCWARP, LOAD, LOAD_TURNED, BYTES, BYTES_SIGNED, BF16, EXCHANGE };
const char *name_of(int kind);
void execute(int kind, const Meeting &meeting);

// What the GPU does on its own time is done, one piece after another, until a thread can run. False: none can.
bool progress();
void describe_barrier(const Thread &thread);

} // namespace emulator
