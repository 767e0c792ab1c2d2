// The processor that plays the GPU: fibres, what they wait for, and the instructions that threads execute together.
// The driver calls `run` under its lock, so there is one launch at a time and the state is global.
#define EMULATOR_ITSELF
#include "device.hpp"

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <deque>
#include <pthread.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// The edges of the section that holds shared variables; weak, since a build may have none.
extern "C" {
extern unsigned char __start_haploom_shared[] __attribute__((weak, visibility("hidden")));
extern unsigned char __stop_haploom_shared[] __attribute__((weak, visibility("hidden")));
}

// Saves the registers that a call keeps on the stack that is left, and takes those of the stack that is entered. Processors
// for which that is not written here have the slower switch of the C library.
#if defined(EMULATOR_UCONTEXT)
#include <ucontext.h>
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
#else
#include <ucontext.h>
#define EMULATOR_UCONTEXT 1
#endif

namespace emulator {

const Kernel *kernels = nullptr;
uint3 thread_index, block_index;
dim3 block_size, grid_size;

namespace {

constexpr unsigned WARP = 32, GROUP = 128;
constexpr unsigned MOST_THREADS = 1024;
// Shared memory as instructions address it: the system's kibibyte, what the launch asked for, shared variables. A matrix
// descriptor holds 18 bits of an address, so all of it has to lie below 2^18.
constexpr unsigned DYNAMIC_BASE = 1024, MOST_DYNAMIC = 232448, STATIC_BASE = DYNAMIC_BASE + MOST_DYNAMIC;
// NaN as a float, -1 as an integer: what an unset variable should do no good as.
constexpr int POISON = 0xff, CANARY = 0xc3;
constexpr size_t STACK_BYTES = 256 << 10;
// Blocks of a launch before which shared variables are poisoned; clearing all of them before each of many thousands costs.
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
Processor processor;

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
  __sanitizer_start_switch_fiber(forever ? nullptr : from ? &from->sanitizer : &processor.scheduler_sanitizer,
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
  size_t page = size_t(sysconf(_SC_PAGESIZE)), each = STACK_BYTES + page;
  void *all = mmap(nullptr, each * MOST_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) {
    std::perror("emulator: no memory for stacks");
    std::abort();
  }
  processor.stacks_begin = all;
  processor.stacks_end = static_cast<unsigned char *>(all) + each * MOST_THREADS;
  for (unsigned i = MOST_THREADS; i-- > 0;) {
    unsigned char *guard = static_cast<unsigned char *>(all) + i * each;
    mprotect(guard, page, PROT_NONE);
    processor.free_stacks.push_back(guard + page);
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

void make_ready(Thread *thread) {
  if (thread->state == State::WAITING) thread->state = State::READY;
  processor.queue[(processor.queue_first + processor.queue_length++) % processor.count] = thread->number;
}

Thread *next_ready() {
  if (processor.queue_length == 0) return nullptr;
  Thread *thread = &processor.threads[processor.queue[processor.queue_first]];
  processor.queue_first = (processor.queue_first + 1) % processor.count;
  --processor.queue_length;
  if (thread->state == State::FRESH) prepare_fresh(thread);
  return thread;
}

void wait(const char *reason) {
  Thread *self = processor.current;
  self->state = State::WAITING;
  self->waiting_for = reason;
  switch_between(self, next_ready());
}

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

// What a barrier's eight bytes hold.
struct Barrier {
  unsigned phase, expected, pending;
  int bytes;

  static constexpr int BYTES_BIAS = 1 << 21;
  static constexpr unsigned MOST_COUNT = (1 << 20) - 1;
  static Barrier of(const unsigned long long *at) {
    unsigned long long bits = *at;
    return {unsigned(bits & 1), unsigned(bits >> 1 & 0xfffff), unsigned(bits >> 21 & 0xfffff),
            int(bits >> 41 & 0x3fffff) - BYTES_BIAS};
  }
  void into(unsigned long long *at) const {
    *at = phase | (unsigned long long)expected << 1 | (unsigned long long)pending << 21 |
          (unsigned long long)(bytes + BYTES_BIAS) << 41;
  }
};

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
    if (thread.barrier) {
      Barrier barrier = Barrier::of(thread.barrier);
      std::fprintf(stderr, ", which waits for parity %u of the barrier at shared address %u: phase %u, %u of %u arrivals "
                           "and %d bytes missing",
                   thread.parity, shared_address(thread.barrier), barrier.phase, barrier.pending, barrier.expected,
                   barrier.bytes);
    }
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

// --- memory ---

size_t static_bytes() { return __start_haploom_shared ? size_t(__stop_haploom_shared - __start_haploom_shared) : 0; }

bool is_shared(const void *pointer, size_t bytes) {
  auto at = static_cast<const unsigned char *>(pointer);
  auto inside = [&](const unsigned char *begin, size_t size) {
    return at >= begin && size_t(at - begin) <= size && bytes <= size - size_t(at - begin);
  };
  return inside(processor.arena, processor.launch->shared_bytes) || inside(__start_haploom_shared, static_bytes());
}

// The memory behind `bytes` at an address in the block's window, or a failed launch.
const unsigned char *at_shared(unsigned address, size_t bytes, const char *what) {
  const unsigned char *pointer = nullptr;
  if (address >= STATIC_BASE) {
    pointer = __start_haploom_shared + (address - STATIC_BASE);
  } else if (address >= DYNAMIC_BASE) {
    pointer = processor.arena + (address - DYNAMIC_BASE);
  }
  if (!pointer || !is_shared(pointer, bytes)) {
    fail(ILLEGAL_ADDRESS, "%s: %zu bytes at shared address %u are not all shared memory of the block", what, bytes, address);
  }
  return pointer;
}

void check_aligned(const void *pointer, size_t bytes, const char *what) {
  if (reinterpret_cast<uintptr_t>(pointer) % bytes) {
    fail(MISALIGNED_ADDRESS, "%s: the address %p is no multiple of %zu", what, pointer, bytes);
  }
}

void check_shared(const void *pointer, size_t bytes, const char *what) {
  if (!is_shared(pointer, bytes)) {
    fail(ILLEGAL_ADDRESS, "%s: %zu bytes at %p are not all shared memory of the block (%u bytes from %p)", what, bytes,
         pointer, processor.launch->shared_bytes, static_cast<void *>(processor.arena));
  }
}

void check_global(const void *pointer, size_t bytes, const char *what) {
  if (processor.launch->memory && !processor.launch->memory(pointer, bytes)) {
    fail(ILLEGAL_ADDRESS, "%s: %zu bytes at %p are not all in one allocation of the device", what, bytes, pointer);
  }
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

enum Kind { SYNCWARP, LOAD, LOAD_TURNED, BYTES, BYTES_SIGNED, BF16, EXCHANGE };
const char *name_of(int kind) {
  switch (kind) {
  case SYNCWARP: return "__syncwarp";
  case LOAD: return "load_matrices";
  case LOAD_TURNED: return "load_matrices_turned";
  case BYTES: return "multiply_bytes<false>";
  case BYTES_SIGNED: return "multiply_bytes<true>";
  case BF16: return "multiply_bf16";
  case EXCHANGE + int(Combine::SOURCE): return "a shuffle";
  case EXCHANGE + int(Combine::BALLOT): return "a ballot";
  default: return "a reduction of a warp";
  }
}

void execute(int kind, const Meeting &meeting);

bool is_complete(const Warp &warp, const Meeting &meeting) { return (meeting.mask & warp.live & ~meeting.arrived) == 0; }

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

void meet(unsigned mask, int kind, void *operand) {
  Thread *self = processor.current;
  unsigned number = self->number / WARP, lane = self->number % WARP;
  Warp &warp = processor.warps[number];
  if (!(mask >> lane & 1)) fail(LAUNCH_FAILED, "%s: the mask %#x leaves out the lane %u that calls it", name_of(kind), mask, lane);
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

// --- barriers in shared memory, and what the GPU copies on its own time ---

unsigned long long *checked_barrier(unsigned long long *barrier, const char *what) {
  if (std::find(processor.barriers.begin(), processor.barriers.end(), barrier) == processor.barriers.end()) {
    fail(LAUNCH_FAILED, "%s: no barrier_begin has been executed for the barrier at %p", what, static_cast<void *>(barrier));
  }
  return barrier;
}

void settle(unsigned long long *at, Barrier barrier) {
  if (barrier.pending == 0 && barrier.bytes == 0) {
    barrier.phase ^= 1;
    barrier.pending = barrier.expected;
  }
  barrier.into(at);
  for (size_t i = 0; i < processor.pollers.size();) {
    Thread *thread = processor.pollers[i];
    if (thread->barrier == at && Barrier::of(at).phase != thread->parity) {
      processor.pollers.erase(processor.pollers.begin() + long(i));
      thread->barrier = nullptr;
      make_ready(thread);
    } else {
      ++i;
    }
  }
}

void land(const BulkCopy &copy) {
  std::memcpy(copy.to, copy.from, copy.bytes);
  Barrier barrier = Barrier::of(copy.barrier);
  barrier.bytes -= int(copy.bytes);
  if (barrier.bytes <= -Barrier::BYTES_BIAS) fail(LAUNCH_FAILED, "bulk_copy: the barrier expects far fewer bytes");
  settle(copy.barrier, barrier);
}

// When no thread can run, what the GPU does on its own time is done, one piece after another. False: nothing is left.
bool progress() {
  while (processor.queue_length == 0 && !processor.pollers.empty() && !processor.bulk_copies.empty()) {
    BulkCopy copy = processor.bulk_copies.front();
    processor.bulk_copies.pop_front();
    land(copy);
  }
  return processor.queue_length != 0;
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
    if (*at != CANARY) fail(ILLEGAL_ADDRESS, "something was written past the %u bytes of dynamic shared memory", launch.shared_bytes);
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
  // The memory ends, but for what aligns it, at a page that cannot be touched, and begins after one if it is the most.
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

// --- instructions of one thread ---

unsigned shared_address(const void *pointer) {
  auto at = static_cast<const unsigned char *>(pointer);
  if (at >= processor.arena && at <= processor.arena + processor.launch->shared_bytes) {
    return DYNAMIC_BASE + unsigned(at - processor.arena);
  }
  if (static_bytes() && at >= __start_haploom_shared && at <= __stop_haploom_shared) {
    return STATIC_BASE + unsigned(at - __start_haploom_shared);
  }
  fail(ILLEGAL_ADDRESS, "shared_address: %p is not shared memory of the block", pointer);
}

void copy_16(void *shared, const void *global) {
  check_aligned(shared, 16, "copy_async_16");
  check_aligned(global, 16, "copy_async_16");
  check_shared(shared, 16, "copy_async_16");
  check_global(global, 16, "copy_async_16");
  if (processor.early) {
    std::memcpy(shared, global, 16);
  } else {
    processor.current->copies.push_back({shared, global});
  }
}

void copy_commit() { processor.current->copy_groups.push_back(processor.current->copies.size()); }

void copy_wait(unsigned groups_left) {
  Thread &self = *processor.current;
  if (self.copy_groups.size() <= groups_left) return;
  size_t landed_groups = self.copy_groups.size() - groups_left, landed = self.copy_groups[landed_groups - 1];
  for (size_t i = 0; i < landed; ++i) std::memcpy(self.copies[i].to, self.copies[i].from, 16);
  self.copies.erase(self.copies.begin(), self.copies.begin() + long(landed));
  self.copy_groups.erase(self.copy_groups.begin(), self.copy_groups.begin() + long(landed_groups));
  for (size_t &end : self.copy_groups) end -= landed;
}

// --- instructions of a warp ---

namespace {

struct Exchanged {
  unsigned long long value, result;
  unsigned source;
};

struct Loaded {
  unsigned (&out)[4];
  const void *row;
};

struct Multiplied {
  void *sums;
  const unsigned *a;
  unsigned b[2];
};

float of_bf16(unsigned bits) { return same_bits<float>(bits << 16); }

// The factors of a product as rows of 32 bytes, widened: 32 integers or 16 real numbers.
struct Factors {
  short bytes[GROUP][32];
  float reals[GROUP][16];
};
Factors left, right;

// Bytes 4 at a time, where they are in the row: `at` is a multiple of 4.
void widen(Factors &factors, Product product, bool with_sign, unsigned row, unsigned at, unsigned word) {
  if (product == Product::BF16) {
    factors.reals[row][at / 2] = of_bf16(word & 0xffff);
    factors.reals[row][at / 2 + 1] = of_bf16(word >> 16);
    return;
  }
  for (unsigned i = 0; i < 4; ++i) {
    unsigned byte = word >> 8 * i & 255;
    factors.bytes[row][at + i] = short(with_sign && byte >= 128 ? int(byte) - 256 : int(byte));
  }
}

int dot(const short *x, const short *y) {
  int sum = 0;
  for (int k = 0; k < 32; ++k) sum += int(x[k]) * int(y[k]);
  return sum;
}

// The GPU rounds and orders the terms as it likes; here they are added without error to speak of and rounded once.
float add_products(float sum, const float *x, const float *y) {
  double total = 0;
  for (int k = 0; k < 16; ++k) total += double(x[k]) * double(y[k]);
  return float(double(sum) + total);
}

// Adds the product of row and column to the sum that a lane holds.
void accumulate(Product product, void *sums, unsigned at, unsigned row, unsigned column) {
  if (product == Product::BF16) {
    float &sum = static_cast<float *>(sums)[at];
    sum = add_products(sum, left.reals[row], right.reals[column]);
  } else {
    int &sum = static_cast<int *>(sums)[at];
    sum = int(unsigned(sum) + unsigned(dot(left.bytes[row], right.bytes[column])));
  }
}

// Where a lane's registers of a factor of 16 rows lie (PTX ISA, fragments of mma.m16n8k32 and m16n8k16, wgmma.m64nNk32
// and m64nNk16): rows lane / 4 and 8 more, four bytes from lane % 4 * 4, and the same 16 bytes on.
void widen_left(Product product, unsigned first_row, unsigned lane, const unsigned *a) {
  for (unsigned i = 0; i < 4; ++i) {
    widen(left, product, false, first_row + lane / 4 + i % 2 * 8, lane % 4 * 4 + i / 2 * 16, a[i]);
  }
}

void execute_multiply(Product product, const Meeting &meeting) {
  for (unsigned lane = 0; lane < WARP; ++lane) {
    const Multiplied &own = *static_cast<Multiplied *>(meeting.operands[lane]);
    widen_left(product, 0, lane, own.a);
    for (unsigned i = 0; i < 2; ++i) {
      widen(right, product, product == Product::SIGNED, lane / 4, lane % 4 * 4 + i * 16, own.b[i]);
    }
  }
  for (unsigned lane = 0; lane < WARP; ++lane) {
    void *sums = static_cast<Multiplied *>(meeting.operands[lane])->sums;
    for (unsigned i = 0; i < 4; ++i) accumulate(product, sums, i, lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2);
  }
}

void execute_load(bool turned, const Meeting &meeting) {
  for (unsigned lane = 0; lane < WARP; ++lane) {
    for (unsigned matrix = 0; matrix < 4; ++matrix) {
      auto row = [&](unsigned i) {
        return static_cast<const unsigned char *>(static_cast<Loaded *>(meeting.operands[matrix * 8 + i])->row);
      };
      unsigned word = 0;
      if (turned) {
        unsigned short low, high;
        std::memcpy(&low, row(lane % 4 * 2) + lane / 4 * 2, 2);
        std::memcpy(&high, row(lane % 4 * 2 + 1) + lane / 4 * 2, 2);
        word = low | unsigned(high) << 16;
      } else {
        std::memcpy(&word, row(lane / 4) + lane % 4 * 4, 4);
      }
      static_cast<Loaded *>(meeting.operands[lane])->out[matrix] = word;
    }
  }
}

void execute_exchange(Combine combine, const Meeting &meeting) {
  auto of = [&](unsigned lane) { return static_cast<Exchanged *>(meeting.operands[lane]); };
  if (combine == Combine::SOURCE) {
    for (unsigned lane = 0; lane < WARP; ++lane) {
      if (!(meeting.arrived >> lane & 1)) continue;
      unsigned source = of(lane)->source;
      // What a lane that is not here has is undefined.
      of(lane)->result = meeting.arrived >> source & 1 ? of(source)->value : ~0ull;
    }
    return;
  }
  bool first = true;
  unsigned long long result = 0;
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (!(meeting.arrived >> lane & 1)) continue;
    unsigned long long value = of(lane)->value;
    if (combine == Combine::BALLOT) {
      result |= value << lane;
      continue;
    }
    if (first) {
      result = value;
      first = false;
      continue;
    }
    switch (combine) {
    case Combine::ADD: result = unsigned(result + value); break;
    case Combine::LEAST: result = std::min(result, value); break;
    case Combine::GREATEST: result = std::max(result, value); break;
    case Combine::LEAST_SIGNED: result = (unsigned long long)std::min((long long)result, (long long)value); break;
    case Combine::GREATEST_SIGNED: result = (unsigned long long)std::max((long long)result, (long long)value); break;
    case Combine::AND: result &= value; break;
    case Combine::OR: result |= value; break;
    case Combine::XOR: result ^= value; break;
    default: break;
    }
  }
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (meeting.arrived >> lane & 1) of(lane)->result = result;
  }
}

void execute(int kind, const Meeting &meeting) {
  if (kind > SYNCWARP && kind < EXCHANGE && meeting.arrived != ~0u) {
    fail(LAUNCH_FAILED, "%s: only the lanes %#x are there, and it wants all", name_of(kind), meeting.arrived);
  }
  switch (kind) {
  case SYNCWARP: break;
  case LOAD: execute_load(false, meeting); break;
  case LOAD_TURNED: execute_load(true, meeting); break;
  case BYTES: execute_multiply(Product::UNSIGNED, meeting); break;
  case BYTES_SIGNED: execute_multiply(Product::SIGNED, meeting); break;
  case BF16: execute_multiply(Product::BF16, meeting); break;
  default: execute_exchange(Combine(kind - EXCHANGE), meeting);
  }
}

} // namespace

unsigned long long exchange(unsigned mask, Combine combine, unsigned long long value, unsigned source) {
  Exchanged own{value, 0, source};
  meet(mask, EXCHANGE + int(combine), &own);
  return own.result;
}

void load_matrices(unsigned (&out)[4], const void *row, bool turned) {
  const char *name = name_of(turned ? LOAD_TURNED : LOAD);
  check_aligned(row, 16, name);
  check_shared(row, 16, name);
  processor.current->registers_fenced = false;
  Loaded own{out, row};
  meet(~0u, turned ? LOAD_TURNED : LOAD, &own);
}

void multiply_bytes(int (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, bool with_sign) {
  Multiplied own{sums, a, {b0, b1}};
  meet(~0u, with_sign ? BYTES_SIGNED : BYTES, &own);
}

void multiply_bf16(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  Multiplied own{sums, a, {b0, b1}};
  meet(~0u, BF16, &own);
}

// --- barriers and bulk copies ---

void barrier_begin(unsigned long long *barrier, unsigned count) {
  check_aligned(barrier, 8, "barrier_begin");
  check_shared(barrier, 8, "barrier_begin");
  if (count == 0 || count > Barrier::MOST_COUNT) fail(LAUNCH_FAILED, "barrier_begin: %u arrivals", count);
  if (std::find(processor.barriers.begin(), processor.barriers.end(), barrier) == processor.barriers.end()) {
    processor.barriers.push_back(barrier);
  }
  processor.barriers_fenced = false;
  Barrier{0, count, count, 0}.into(barrier);
}

void barrier_visible() { processor.barriers_fenced = true; }
void shared_visible() {}

void barrier_arrive(unsigned long long *barrier, unsigned bytes) {
  Barrier now = Barrier::of(checked_barrier(barrier, "barrier_arrive"));
  if (now.pending == 0) fail(LAUNCH_FAILED, "barrier_arrive: more than the %u arrivals of the phase", now.expected);
  if (bytes > Barrier::MOST_COUNT || now.bytes + int(bytes) > int(Barrier::MOST_COUNT)) {
    fail(LAUNCH_FAILED, "barrier_expect: %u bytes are more than a barrier counts", bytes);
  }
  now.bytes += int(bytes);
  --now.pending;
  settle(barrier, now);
}

void barrier_wait(unsigned long long *barrier, unsigned parity) {
  checked_barrier(barrier, "barrier_wait");
  Thread *self = processor.current;
  if (Barrier::of(barrier).phase != (parity & 1)) return;
  self->barrier = barrier;
  self->parity = parity & 1;
  processor.pollers.push_back(self);
  wait("barrier_wait");
}

void bulk_copy(void *shared, const void *global, unsigned bytes, unsigned long long *barrier) {
  check_aligned(shared, 16, "bulk_copy");
  check_aligned(global, 16, "bulk_copy");
  if (bytes == 0 || bytes % 16) fail(LAUNCH_FAILED, "bulk_copy: %u bytes are no multiple of 16", bytes);
  check_shared(shared, bytes, "bulk_copy");
  check_global(global, bytes, "bulk_copy");
  checked_barrier(barrier, "bulk_copy");
  if (!processor.barriers_fenced) {
    fail(LAUNCH_FAILED, "bulk_copy: no barrier_visible since the last barrier_begin");
  }
  BulkCopy copy{shared, global, bytes, barrier};
  if (processor.early) {
    land(copy);
  } else {
    processor.bulk_copies.push_back(copy);
  }
}

// --- instructions of four warps ---

namespace {

void read_right(Product product, unsigned long long descriptor) {
  if (descriptor >> 62 || descriptor >> 49 & 7) fail(LAUNCH_FAILED, "a descriptor of swizzled memory is not emulated");
  unsigned address = unsigned(descriptor & 0x3fff) << 4, leading = unsigned(descriptor >> 16 & 0x3fff) << 4,
           stride = unsigned(descriptor >> 32 & 0x3fff) << 4;
  for (unsigned column = 0; column < GROUP; column += 8) {
    for (unsigned half = 0; half < 2; ++half) {
      const unsigned char *core = at_shared(address + column / 8 * stride + half * leading, 128, "a matrix descriptor");
      for (unsigned i = 0; i < 32; ++i) {
        unsigned word;
        std::memcpy(&word, core + i * 4, 4);
        widen(right, product, product == Product::SIGNED, column + i / 4, half * 16 + i % 4 * 4, word);
      }
    }
  }
}

// Executes product `place` of all threads of the four warps, which have issued the same.
void execute_group(unsigned group, size_t place) {
  Thread *threads = &processor.threads[group * GROUP];
  const Issued &first = threads[0].issued[place];
  for (unsigned i = 0; i < GROUP; ++i) {
    const Issued &own = threads[i].issued[place];
    if (own.product != first.product || own.b != first.b) {
      fail(LAUNCH_FAILED, "the threads of four warps issued different products, or of different descriptors");
    }
    widen_left(first.product, i / WARP * 16, i % WARP, own.a);
  }
  read_right(first.product, first.b);
  for (unsigned i = 0; i < GROUP; ++i) {
    unsigned row = i / WARP * 16 + i % WARP / 4;
    for (unsigned at = 0; at < 64; ++at) {
      accumulate(first.product, threads[i].issued[place].sums, at, row + at / 2 % 2 * 8, at / 4 * 8 + i % 4 * 2 + at % 2);
    }
  }
}

void execute_waited(unsigned group) {
  Thread *threads = &processor.threads[group * GROUP];
  unsigned left = threads[0].groups_left;
  for (unsigned i = 0; i < GROUP; ++i) {
    if (threads[i].groups_left != left || threads[i].issued_groups != threads[0].issued_groups) {
      fail(LAUNCH_FAILED, "group_wait: the threads of four warps wait for different groups of products");
    }
  }
  if (threads[0].issued_groups.size() <= left) return;
  size_t done_groups = threads[0].issued_groups.size() - left, done = threads[0].issued_groups[done_groups - 1];
  for (size_t place = 0; place < done; ++place) execute_group(group, place);
  for (unsigned i = 0; i < GROUP; ++i) {
    Thread &thread = threads[i];
    thread.issued.erase(thread.issued.begin(), thread.issued.begin() + long(done));
    thread.issued_groups.erase(thread.issued_groups.begin(), thread.issued_groups.begin() + long(done_groups));
    for (size_t &end : thread.issued_groups) end -= done;
  }
}

void execute_at_once(unsigned group) {
  execute_group(group, 0);
  for (unsigned i = 0; i < GROUP; ++i) processor.threads[group * GROUP + i].issued.clear();
}

void issue(Product product, void *sums, const unsigned (&a)[4], unsigned long long b) {
  Thread *self = processor.current;
  if (!self->registers_fenced) {
    fail(LAUNCH_FAILED, "a product of four warps without group_fence since its registers were loaded");
  }
  self->issued.push_back({product, sums, {a[0], a[1], a[2], a[3]}, b});
  if (processor.early) meet_group("group_multiply", execute_at_once);
}

} // namespace

void check_descriptor(unsigned address, unsigned leading_bytes, unsigned stride_bytes) {
  for (unsigned bytes : {address, leading_bytes, stride_bytes}) {
    if (bytes % 16) fail(MISALIGNED_ADDRESS, "matrix_descriptor: %u is no multiple of 16", bytes);
    if (bytes >= 1u << 18) fail(ILLEGAL_ADDRESS, "matrix_descriptor: %u does not fit 18 bits", bytes);
  }
}

void group_fence() { processor.current->registers_fenced = true; }
void group_commit() { processor.current->issued_groups.push_back(processor.current->issued.size()); }
void group_wait(unsigned groups_left) {
  processor.current->groups_left = groups_left;
  meet_group("group_wait", execute_waited);
}
void group_multiply_bytes(int (&sums)[64], const unsigned (&a)[4], unsigned long long b, bool with_sign) {
  issue(with_sign ? Product::SIGNED : Product::UNSIGNED, sums, a, b);
}
void group_multiply_bf16(float (&sums)[64], const unsigned (&a)[4], unsigned long long b) {
  issue(Product::BF16, sums, a, b);
}

} // namespace emulator
