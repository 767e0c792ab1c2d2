// The instructions of instructions.cuh, as the PTX ISA describes them.
#include "processor.hpp"

#include <algorithm>

namespace emulator {

namespace {

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

// --- memory ---

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
        fail(ILLEGAL_ADDRESS, "%s: %zu bytes at shared address %u are not all shared memory of the block", what, bytes,
             address);
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
        fail(ILLEGAL_ADDRESS, "%s: %zu bytes at %p are not all shared memory of the block (%u bytes from %p)", what,
             bytes, pointer, processor.launch->shared_bytes, static_cast<void *>(processor.arena));
    }
}

void check_global(const void *pointer, size_t bytes, const char *what) {
    if (processor.launch->memory && !processor.launch->memory(pointer, bytes)) {
        fail(ILLEGAL_ADDRESS, "%s: %zu bytes at %p are not all in one allocation of the device", what, bytes, pointer);
    }
}

// --- barriers in shared memory, and what the GPU copies on its own time ---

unsigned long long *checked_barrier(unsigned long long *barrier, const char *what) {
    if (std::find(processor.barriers.begin(), processor.barriers.end(), barrier) == processor.barriers.end()) {
        fail(LAUNCH_FAILED, "%s: no barrier_begin has been executed for the barrier at %p", what,
             static_cast<void *>(barrier));
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

} // namespace

bool progress() {
    while (processor.queue_length == 0 && !processor.pollers.empty() && !processor.bulk_copies.empty()) {
        BulkCopy copy = processor.bulk_copies.front();
        processor.bulk_copies.pop_front();
        land(copy);
    }
    return processor.queue_length != 0;
}

void describe_barrier(const Thread &thread) {
    Barrier barrier = Barrier::of(thread.barrier);
    std::fprintf(stderr,
                 ", which waits for parity %u of the barrier at shared address %u: phase %u, %u of %u arrivals and "
                 "%d bytes missing",
                 thread.parity, shared_address(thread.barrier), barrier.phase, barrier.pending, barrier.expected,
                 barrier.bytes);
}

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
    double reals[GROUP][16];
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
float add_products(float sum, const double *x, const double *y) {
    double parts[4] = {};
    for (int k = 0; k < 16; k += 4) {
        for (int i = 0; i < 4; ++i) parts[i] += x[k + i] * y[k + i];
    }
    return float(double(sum) + ((parts[0] + parts[1]) + (parts[2] + parts[3])));
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
        case Combine::GREATEST_SIGNED:
            result = (unsigned long long)std::max((long long)result, (long long)value);
            break;
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

} // namespace

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

void read_right(Product product, unsigned columns, unsigned long long descriptor) {
    if (descriptor >> 62 || descriptor >> 49 & 7)
        fail(LAUNCH_FAILED, "a descriptor of swizzled memory is not emulated");
    unsigned address = unsigned(descriptor & 0x3fff) << 4, leading = unsigned(descriptor >> 16 & 0x3fff) << 4,
             stride = unsigned(descriptor >> 32 & 0x3fff) << 4;
    for (unsigned column = 0; column < columns; column += 8) {
        for (unsigned half = 0; half < 2; ++half) {
            const unsigned char *core =
                at_shared(address + column / 8 * stride + half * leading, 128, "a matrix descriptor");
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
        if (own.product != first.product || own.columns != first.columns || own.adds != first.adds || own.b != first.b) {
            fail(LAUNCH_FAILED, "the threads of four warps issued different products, or of different descriptors");
        }
        widen_left(first.product, i / WARP * 16, i % WARP, own.a);
    }
    read_right(first.product, first.columns, first.b);
    for (unsigned i = 0; i < GROUP; ++i) {
        const Issued &own = threads[i].issued[place];
        unsigned row = i / WARP * 16 + i % WARP / 4;
        // Integers and real numbers of 4 bytes, zeros of which are the same.
        if (!own.adds) std::memset(own.sums, 0, own.columns / 2 * 4);
        for (unsigned at = 0; at < own.columns / 2; ++at) {
            accumulate(own.product, own.sums, at, row + at / 2 % 2 * 8, at / 4 * 8 + i % 4 * 2 + at % 2);
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

template <typename Sum, size_t COUNT>
void issue(Product product, Sum (&sums)[COUNT], bool adds, const unsigned (&a)[4], unsigned long long b) {
    Thread *self = processor.current;
    if (!self->registers_fenced) {
        fail(LAUNCH_FAILED, "a product of four warps without group_fence since its registers were loaded");
    }
    self->issued.push_back({product, COUNT * 2, adds, sums, {a[0], a[1], a[2], a[3]}, b});
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
    issue(with_sign ? Product::SIGNED : Product::UNSIGNED, sums, true, a, b);
}
void group_multiply_bytes(int (&sums)[32], const unsigned (&a)[4], unsigned long long b, bool with_sign, bool adds) {
    issue(with_sign ? Product::SIGNED : Product::UNSIGNED, sums, adds, a, b);
}

} // namespace emulator
