// Evaluating allocates nothing as long as every value on the way is a scalar or already exists:
// rules are evaluated for every service every second.
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/unit/common/cel/support.h"

namespace {

std::atomic<std::size_t> allocations = 0;

}  // namespace

// Not inlined: the compiler would see only one of the pair, and call it a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size > 0 ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace firebreak::cel {
namespace {

// Its values exist before the evaluation, as a coordinator's do.
class Ready final : public Activation {
 public:
  Value variable(std::string_view path) const override {
    if (path == "labels") return labels_;
    if (path == "numbers") return numbers_;
    if (path == "now") return Timestamp{1234567890, 0};
    if (path == "facts.customers") return 150;
    if (path == "facts.note") return note_;
    return path == "yes";
  }
  Value call(int id, std::span<const Value> arguments) const override {
    if (id == kP95In) return arguments[1].as_duration() * 2;
    return id == kValue ? Value(7.5) : Value(true);
  }

 private:
  Value labels_{Map{{"role", "edge"}, {"a name that is too long for a small string", "x"}}};
  Value numbers_{List{1, 2, 3, 4}};
  Value note_{"a note that is too long for a small string"};
};

TEST(Evaluation, AllocatesNothingForScalars) {
  const Ready world;
  for (const char* text : {
           "available('health') && p95('health', 1m) > 500ms || value('queue') > 10",
           "facts.customers > 100 && facts.customers * 2 - 1 < 1000 && yes",
           "labels.role == 'edge' && labels['a name that is too long for a small string'] == 'x'",
           "facts.note.contains('too long') && facts.note.startsWith('a note') && size(facts.note) "
           "> 9",
           "numbers.all(n, n > 0) && numbers.exists(n, n == 4) && numbers.exists_one(n, n == 1)",
           "numbers[2] == 3 && 4 in numbers && 'role' in labels && has(labels.role)",
           "{1: 'a', 2u: 'b'}[2.0] == 'b' && facts.customers in [100, 150, 200]",
           "now.getHours('Europe/Berlin') == 0 && now.getDayOfWeek() == 5 && now.getDate('+02:00') "
           "== 14",
           "now - timestamp('2009-02-13T00:00:00Z') > 23h && now + 1h > now && int(now) > 0",
           "facts.note.matches('^a note')",
           "double(facts.customers) / 3.0 > 40.0 ? 1u < 2 : b'a' == b'b'",
       }) {
    const Program program = compiled(text);
    EXPECT_EQ(to_string(program.evaluate(world)), "true") << text;  // whatever is made once
    const std::size_t before = allocations.load();
    const Value value = program.evaluate(world);
    EXPECT_EQ(allocations.load() - before, 0U) << text;
    EXPECT_TRUE(value.is_true());
  }
}

TEST(Evaluation, IsCountedWhenItAllocates) {  // the counter works
  const Ready world;
  const Program program = compiled("facts.note + facts.note");
  const std::size_t before = allocations.load();
  EXPECT_TRUE(program.evaluate(world).is(Value::Kind::string));
  EXPECT_GT(allocations.load(), before);
}

}  // namespace
}  // namespace firebreak::cel
