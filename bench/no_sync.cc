// LD_PRELOAD: what a program would be without durability. Only to show its price.
extern "C" {
int fsync(int /*fd*/) {
  return 0;
}
int fdatasync(int /*fd*/) {
  return 0;
}
}
