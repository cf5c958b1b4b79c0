# y = the running sums of x (inclusive), in one pass over memory. A block scans its 256 elements, then waits for the sum
# of all blocks before it, which the block just before publishes: a chain through global memory.
#
# state[b] is 0 until block b knows its total; then its upper half is 1 and its lower half the sum up to and with it, in
# one 8-byte store, so that no reader can see one without the other. Blocks begin in order, so whoever waits, waits for
# a block that runs already. `.cv` reads what other blocks wrote; without it the loop could see an old value for ever.
#
#   tcc sim examples/g9/scan.s --dim N=1000 --dim B=4 --grid 4 --input x=ones --input state=zeros
.kernel scan
.param x: u32*[N]
.param y: u32*[N]
.param state: u64*[B]
.param N: u32
.block 256
.shared warps: 32
.shared before: 4

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, tid.x
  lea.u32 r2, r0, r1, 8
  mov.b32 r4, 0
  isetp.lt.u32 p6, pt, r2, p[N]
  lea.u64 r6, r2, p[x], 2
  @p6 ldg.b32 r4, [r6]

  # Within the warp: add what the lane d below has, for d = 1, 2, 4, 8, 16. p0: there is such a lane.
  shfl.up.b32 r5, p0, r4, 1
  @p0 iadd3.u32 r4, r4, r5, rz
  shfl.up.b32 r5, p0, r4, 2
  @p0 iadd3.u32 r4, r4, r5, rz
  shfl.up.b32 r5, p0, r4, 4
  @p0 iadd3.u32 r4, r4, r5, rz
  shfl.up.b32 r5, p0, r4, 8
  @p0 iadd3.u32 r4, r4, r5, rz
  shfl.up.b32 r5, p0, r4, 16
  @p0 iadd3.u32 r4, r4, r5, rz

  # The totals of warps, scanned by the lanes of the first warp.
  s2r.b32 r8, warpid
  shl.u32 r8, r8, 2
  s2r.b32 r9, laneid
  isetp.eq.u32 p1, pt, r9, 31
  @p1 sts.b32 [r8+warps], r4
  bar.sync 0
  isetp.lt.u32 p2, pt, r1, 32
  @!p2 bra.uni joined
  isetp.lt.u32 p3, pt, r1, 8
  shl.u32 r10, r1, 2
  mov.b32 r11, 0
  @p3 lds.b32 r11, [r10+warps]
  shfl.up.b32 r5, p0, r11, 1
  @p0 iadd3.u32 r11, r11, r5, rz
  shfl.up.b32 r5, p0, r11, 2
  @p0 iadd3.u32 r11, r11, r5, rz
  shfl.up.b32 r5, p0, r11, 4
  @p0 iadd3.u32 r11, r11, r5, rz
  @p3 sts.b32 [r10+warps], r11

  # Lane 7 has the block's total: it takes what is before, and publishes.
  isetp.ne.u32 p4, pt, r1, 7
  bssy b0, known
  @p4 bra known
  mov.b64 r12, 0
  isetp.eq.u32 p5, pt, r0, 0
  @p5 bra first
  iadd3.u32 r14, r0, -1, rz
  lea.u64 r16, r14, p[state], 3
wait:
  ldg.b64.cv r12, [r16]
  isetp.eq.u32 p5, pt, r13, 0
  @p5 bra wait
first:
  mov.b32 r14, 0
  sts.b32 [r14+before], r12
  iadd3.u32 r12, r12, r11, rz
  mov.b32 r13, 1
  lea.u64 r16, r0, p[state], 3
  fence.gpu
  stg.b64 [r16], r12
known:
  bsync b0
joined:
  bar.sync 0
  isetp.ne.u32 p0, pt, r8, 0
  @p0 lds.b32 r5, [r8+warps-4]     # the warps before this one
  @p0 iadd3.u32 r4, r4, r5, rz
  mov.b32 r14, 0
  lds.b32 r5, [r14+before]
  iadd3.u32 r4, r4, r5, rz
  lea.u64 r6, r2, p[y], 2
  @p6 stg.b32 [r6], r4
  exit
