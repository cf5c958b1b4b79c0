# C = A B on the matrix unit: f16 operands, f32 sums. A warp makes a 16 x 8 tile of C; M, N, K are multiples of 16, 8
# and 16. The block is one warp, so that each step can be seen; real kernels give a warp 64 x 64 of C and copy ahead.
#
# Where elements lie: ldm reads 8 x 8 tiles, whose rows are 16 bytes at the addresses that lanes 8 t to 8 t + 7 give, and
# leaves lane 4 g + j of tile t with elements (g, 2 j) and (g, 2 j + 1): just what mma wants. B lies in memory with rows of k,
# mma wants columns of n: `.t` transposes each tile on its way.
#
#   tcc sim examples/g9/matmul_mma.s --dim M=32 --dim N=24 --dim K=48 --grid 3,2 --input A=random:1 --input B=random:2 --check
.kernel matmul
.param A: f16*[M,K]
.param B: f16*[K,N]
.param C: f32*[M,N]
.param N: u32
.param K: u32
.block 32
.shared a: 512                     # 16 rows of 32 bytes
.shared b: 256                     # 16 rows of 16 bytes

  s2r.b32 r0, laneid
  s2r.b32 r1, ctaid.x              # n / 8
  s2r.b32 r2, ctaid.y              # m / 16
  shl.u32 r1, r1, 3
  shl.u32 r2, r2, 4

  # Copies: lane l brings half a row of A (row l / 2), lanes 0 to 15 a row of B.
  shr.u32 r3, r0, 1
  iadd3.u32 r3, r3, r2, rz         # row of A
  lop3.b32 r4, r0, 1, rz, 0xc0
  shl.u32 r4, r4, 3                # column 0 or 8
  imad.u32 r4, r3, p[K], r4
  lea.u64 r6, r4, p[A], 1
  imad.u32 r4, r0, p[N], r1
  lea.u64 r8, r4, p[B], 1
  mov.b32 r10, p[N]
  shl.u32 r10, r10, 5              # 16 rows of B, in bytes
  shl.u32 r11, r0, 4               # where a lane puts its 16 bytes
  isetp.lt.u32 p1, pt, r0, 16

  # Fragments of A: tiles 0 to 3 are (rows 0-7, k 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15).
  lop3.b32 r12, r0, 15, rz, 0xc0
  shr.u32 r13, r0, 4
  shl.u32 r13, r13, 4
  lea.u32 r12, r12, r13, 5         # 32 (l & 15) + 16 (l >> 4)

  mov.b64 r16, 0                   # the 16 x 8 sums: 4 registers a lane
  mov.b64 r18, 0
  mov.b32 r14, p[K]
step:
  ldg.b128 r20, [r6]
  @p1 ldg.b128 r24, [r8]
  sts.b128 [r11+a], r20
  @p1 sts.b128 [r11+b], r24
  bar.sync 0
  ldm.x4.b16 r20, [r12+a]
  ldm.x2.t.b16 r24, [r11+b]
  mma.m16n8k16.f32.f16.f16 r16, r20, r24, r16
  bar.sync 0
  iadd3.u64 r6, r6, 32, rz
  lea.u64 r8, r10, r8, 0
  iadd3.u32 r14, r14, -16, rz
  isetp.gt.s32 p0, pt, r14, 0
  @p0 bra.uni step

  # Lane 4 g + j has columns 2 j, 2 j + 1 of row g (r16, r17) and of row g + 8 (r18, r19).
  shr.u32 r3, r0, 2
  iadd3.u32 r3, r3, r2, rz
  lop3.b32 r4, r0, 3, rz, 0xc0
  lea.u32 r4, r4, r1, 1
  imad.u32 r4, r3, p[N], r4
  lea.u64 r6, r4, p[C], 2
  stg.b64 [r6], r16
  mov.b32 r5, p[N]
  shl.u32 r5, r5, 5                # 8 rows on
  lea.u64 r6, r5, r6, 0
  stg.b64 [r6], r18
  exit
