# out = in transposed through a tile in shared memory whose rows have 33 elements instead of 32: the elements of a column
# are now in 32 different banks. One word of padding a row is all that differs from transpose_shared.s.
# Blocks of 32 x 8 threads turn tiles of 32 x 32; sizes are multiples of 32.
#
#   tcc sim examples/g9/transpose_padded.s --dim M=64 --dim N=96 --grid 3,2 --input in=iota --check
.kernel transpose
.param in: f32*[M,N]
.param out: f32*[N,M]
.param M: u32
.param N: u32
.block 32 8
.shared tile: 4224

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, ctaid.y
  s2r.b32 r2, tid.x
  s2r.b32 r3, tid.y
  imul.u32 r4, r3, 132             # 132 tid.y: rows of the tile are 33 elements
  lea.u32 r4, r2, r4, 2            # + 4 tid.x: where this thread writes
  imul.u32 r5, r2, 132
  lea.u32 r5, r3, r5, 2            # the place mirrored: where it reads
  lea.u32 r6, r0, r2, 5            # column of in
  lea.u32 r7, r1, r3, 5            # row of in
  imad.u32 r6, r7, p[N], r6
  lea.u64 r8, r6, p[in], 2
  mov.b32 r12, p[N]
  shl.u32 r12, r12, 5              # 8 rows, in bytes
  mov.b32 r13, 4
in:
  ldg.b32 r10, [r8]
  sts.b32 [r4+tile], r10
  lea.u64 r8, r12, r8, 0
  iadd3.u32 r4, r4, 1056, rz        # 8 rows of the tile
  iadd3.u32 r13, r13, -1, rz
  isetp.ne.u32 p0, pt, r13, 0
  @p0 bra.uni in
  bar.sync 0
  lea.u32 r6, r1, r2, 5            # column of out: a row of in
  lea.u32 r7, r0, r3, 5            # row of out
  imad.u32 r6, r7, p[M], r6
  lea.u64 r8, r6, p[out], 2
  mov.b32 r12, p[M]
  shl.u32 r12, r12, 5
  mov.b32 r13, 4
out:
  lds.b32 r10, [r5+tile]
  stg.b32 [r8], r10
  lea.u64 r8, r12, r8, 0
  iadd3.u32 r5, r5, 32, rz         # 8 columns of the tile
  iadd3.u32 r13, r13, -1, rz
  isetp.ne.u32 p0, pt, r13, 0
  @p0 bra.uni out
  exit
