# c = a + b, one element a thread. The first program: where a thread finds its index, and how it stays in bounds.
#
#   tcc sim examples/g9/vadd.s --dim N=1000 --block 256 --grid 4 --input a=iota --input b=ones
.kernel vadd
.param a: f32*[N]
.param b: f32*[N]
.param c: f32*[N]
.param N: u32

  s2r.b32 r0, ctaid.x              # index = block * threads of a block + thread
  s2r.b32 r1, ntid.x
  s2r.b32 r2, tid.x
  imad.u32 r0, r0, r1, r2
  isetp.ge.u32 p0, pt, r0, p[N]    # the last block may reach beyond the end:
  @p0 exit                         # its last threads have nothing to do
  lea.u64 r4, r0, p[a], 2          # r5:r4 = a + index * 4
  lea.u64 r6, r0, p[b], 2
  lea.u64 r8, r0, p[c], 2
  ldg.b32 r10, [r4]
  ldg.b32 r11, [r6]
  fadd.f32 r10, r10, r11
  stg.b32 [r8], r10
  exit
