# out[0] += the sum of x. Each thread sums a part of its own, lanes join by shuffles, warps by shared memory, blocks by
# a reduction in global memory. The simulator adds blocks in their order, so the float result is the same every time.
#
#   tcc sim examples/g9/reduce.s --dim N=5000 --block 128 --grid 6 --input x=random:1 --input out=zeros --output out=/dev/null
.kernel reduce
.param x: f32*[N]
.param out: f32*[1]
.param N: u32
.shared part: 128                  # a sum for each of up to 32 warps

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, ntid.x
  s2r.b32 r2, tid.x
  s2r.b32 r3, nctaid.x
  imad.u32 r0, r0, r1, r2
  imul.u32 r3, r3, r1              # threads of the grid: the step from one element to the next
  mov.b32 r4, 0
  bssy b0, summed
  isetp.ge.u32 p0, pt, r0, p[N]
  @p0 bra summed
loop:                              # lanes stay side by side: element i + step, i + 2 step, …
  lea.u64 r6, r0, p[x], 2
  ldg.b32 r5, [r6]
  fadd.f32 r4, r4, r5
  iadd3.u32 r0, r0, r3, rz
  isetp.lt.u32 p0, pt, r0, p[N]
  @p0 bra loop
summed:
  bsync b0                         # lanes that had fewer elements wait here for the others

  # A butterfly: after the step with distance d every lane has the sum of 2 d lanes.
  shfl.bfly.b32 r5, pt, r4, 16
  fadd.f32 r4, r4, r5
  shfl.bfly.b32 r5, pt, r4, 8
  fadd.f32 r4, r4, r5
  shfl.bfly.b32 r5, pt, r4, 4
  fadd.f32 r4, r4, r5
  shfl.bfly.b32 r5, pt, r4, 2
  fadd.f32 r4, r4, r5
  shfl.bfly.b32 r5, pt, r4, 1
  fadd.f32 r4, r4, r5

  s2r.b32 r6, warpid
  shl.u32 r6, r6, 2
  elect p1                         # one lane of each warp
  @p1 sts.b32 [r6+part], r4
  bar.sync 0
  isetp.ne.u32 p0, pt, r2, 0
  @p0 exit                         # thread 0 joins the warps
  s2r.b32 r7, nwarpid
  mov.b32 r8, 0
  mov.b32 r4, 0
warps:
  lds.b32 r5, [r8+part]
  fadd.f32 r4, r4, r5
  iadd3.u32 r8, r8, 4, rz
  iadd3.u32 r7, r7, -1, rz
  isetp.ne.u32 p0, pt, r7, 0
  @p0 bra warps
  mov.b64 r6, p[out]
  redg.add.f32 [r6], r4
  exit
