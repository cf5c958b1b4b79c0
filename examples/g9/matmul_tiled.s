# C = A B through shared memory: a block of 16 x 16 threads loads a 16 x 16 tile of A and one of B, each thread one
# element of each, and every loaded element is then used 16 times. Sizes are multiples of 16.
#
# Two barriers a step: the first says that the tiles are complete, the second that nobody still reads them. Leave one
# out, and --check names the two warps that race.
#
#   tcc sim examples/g9/matmul_tiled.s --dim M=32 --dim N=48 --dim K=64 --grid 3,2 --input A=random:1 --input B=random:2 --check
.kernel matmul
.param A: f32*[M,K]
.param B: f32*[K,N]
.param C: f32*[M,N]
.param N: u32
.param K: u32
.block 16 16
.shared a: 1024
.shared b: 1024

  s2r.b32 r0, tid.x
  s2r.b32 r1, tid.y
  s2r.b32 r2, ctaid.x
  s2r.b32 r3, ctaid.y
  lea.u32 r2, r2, r0, 4            # column of C
  lea.u32 r3, r3, r1, 4            # row of C
  imad.u32 r4, r3, p[K], r0        # A[row][tid.x]
  imad.u32 r5, r1, p[N], r2        # B[tid.y][column]
  lea.u64 r6, r4, p[A], 2
  lea.u64 r8, r5, p[B], 2
  mov.b32 r10, p[N]
  shl.u32 r10, r10, 6              # 16 rows of B, in bytes
  lea.u32 r11, r1, r0, 4           # place in a tile: 16 tid.y + tid.x …
  shl.u32 r11, r11, 2              # … in bytes
  shl.u32 r12, r1, 6               # row tid.y of the tile of A
  shl.u32 r13, r0, 2               # column tid.x of the tile of B
  mov.b32 r14, 0
  mov.b32 r15, p[K]
step:
  ldg.b32 r16, [r6]
  ldg.b32 r17, [r8]
  sts.b32 [r11+a], r16
  sts.b32 [r11+b], r17
  bar.sync 0
  mov.b32 r18, r12
  mov.b32 r19, r13
  mov.b32 r20, 16
dot:
  lds.b32 r16, [r18+a]             # one address for all lanes of a row: a broadcast
  lds.b32 r17, [r19+b]             # neighbours: no bank twice
  ffma.f32 r14, r16, r17, r14
  iadd3.u32 r18, r18, 4, rz
  iadd3.u32 r19, r19, 64, rz
  iadd3.u32 r20, r20, -1, rz
  isetp.ne.u32 p0, pt, r20, 0
  @p0 bra.uni dot
  bar.sync 0
  iadd3.u64 r6, r6, 64, rz         # 16 columns on in A
  lea.u64 r8, r10, r8, 0           # 16 rows on in B
  iadd3.u32 r15, r15, -16, rz
  isetp.gt.s32 p0, pt, r15, 0
  @p0 bra.uni step
  imad.u32 r3, r3, p[N], r2
  lea.u64 r4, r3, p[C], 2
  stg.b32 [r4], r14
  exit
