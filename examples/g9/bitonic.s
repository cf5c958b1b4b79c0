# Sorts 1024 numbers in shared memory: Batcher's bitonic sort, 512 threads, each compares one pair a step. The pairs of
# a step are i and i ^ j; they go up when bit k of i is 0. No step depends on the data, so nothing diverges.
#
#   tcc sim examples/g9/bitonic.s --input x=random:1 --check
.kernel bitonic
.param x: u32*[1024]
.param y: u32*[1024]
.block 512
.shared v: 4096

  s2r.b32 r0, tid.x
  shl.u32 r1, r0, 3
  lea.u64 r2, r1, p[x], 0
  ldg.b64 r4, [r2]
  sts.b64 [r1+v], r4
  mov.b32 r6, 2                    # k: length of the sequences that are sorted after this round
round:
  shr.u32 r7, r6, 1                # j: distance of the pairs
step:
  bar.sync 0
  # i = the tid-th number whose bit j is 0: bits below j stay, the others move up by one.
  iadd3.u32 r8, r7, -1, rz
  lop3.b32 r9, r0, r8, rz, 0xc0    # tid & (j - 1)
  iadd3.u32 r10, r0, -r9, rz
  lea.u32 r9, r10, r9, 1           # 2 (tid - low) + low
  lop3.b32 r10, r9, r7, rz, 0xfc   # i | j
  shl.u32 r11, r9, 2
  shl.u32 r12, r10, 2
  lds.b32 r13, [r11+v]
  lds.b32 r14, [r12+v]
  imin.u32 r15, r13, r14
  imax.u32 r16, r13, r14
  lop3.b32 r17, r9, r6, rz, 0xc0
  isetp.eq.u32 p0, pt, r17, 0      # up
  sel.b32 r13, r15, r16, p0
  sel.b32 r14, r16, r15, p0
  sts.b32 [r11+v], r13
  sts.b32 [r12+v], r14
  shr.u32 r7, r7, 1
  isetp.ne.u32 p1, pt, r7, 0
  @p1 bra.uni step
  shl.u32 r6, r6, 1
  isetp.le.u32 p1, pt, r6, 1024
  @p1 bra.uni round
  bar.sync 0
  lds.b64 r4, [r1+v]
  lea.u64 r2, r1, p[y], 0
  stg.b64 [r2], r4
  exit
