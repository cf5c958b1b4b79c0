# steps[i] = how many steps the Collatz sequence of x[i] takes to 1. Lanes of a warp leave the loop at different times:
# divergence. bssy notes who is to meet, bsync waits for them; between, those that are done wait while the others go on, and
# the warp takes as long as its slowest lane.
#
#   tcc sim examples/g9/collatz.s --dim N=500 --block 128 --grid 4 --input x=iota
.kernel collatz
.param x: u32*[N]
.param steps: u32*[N]
.param N: u32

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, ntid.x
  s2r.b32 r2, tid.x
  imad.u32 r0, r0, r1, r2
  isetp.ge.u32 p0, pt, r0, p[N]
  @p0 exit
  lea.u64 r4, r0, p[x], 2
  ldg.b32 r6, [r4]
  mov.b32 r7, 0
  bssy b0, met
loop:
  isetp.le.u32 p0, pt, r6, 1
  @p0 bra met                      # some lanes go, the others stay: two paths
  lop3.b32 r8, r6, 1, rz, 0xc0
  isetp.eq.u32 p1, p2, r8, 0       # p1: even, p2: odd
  @p1 shr.u32 r6, r6, 1            # a guard instead of a branch: both are short
  @p2 imad.u32 r6, r6, 3, rz
  @p2 iadd3.u32 r6, r6, 1, rz
  iadd3.u32 r7, r7, 1, rz
  bra loop
met:
  bsync b0                         # one path again, so the store is one request
  lea.u64 r4, r0, p[steps], 2
  stg.b32 [r4], r7
  exit
