# out = in transposed, each thread 4 elements, straight through registers. Loads are neighbours; stores of a warp lie a
# row apart, so each needs a sector of its own. The next two programs mend that.
# Blocks of 32 x 8 threads turn tiles of 32 x 32; sizes are multiples of 32.
#
#   tcc sim examples/g9/transpose_naive.s --dim M=64 --dim N=96 --grid 3,2 --input in=iota
.kernel transpose
.param in: f32*[M,N]
.param out: f32*[N,M]
.param M: u32
.param N: u32
.block 32 8

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, ctaid.y
  s2r.b32 r2, tid.x
  s2r.b32 r3, tid.y
  lea.u32 r0, r0, r2, 5            # column
  lea.u32 r1, r1, r3, 5            # first of four rows, 8 apart
  mov.b32 r12, 4
loop:
  imad.u32 r4, r1, p[N], r0
  imad.u32 r5, r0, p[M], r1
  lea.u64 r6, r4, p[in], 2
  lea.u64 r8, r5, p[out], 2
  ldg.b32 r10, [r6]                # lanes side by side
  stg.b32 [r8], r10                # lanes M elements apart
  iadd3.u32 r1, r1, 8, rz
  iadd3.u32 r12, r12, -1, rz
  isetp.ne.u32 p0, pt, r12, 0
  @p0 bra.uni loop
  exit
