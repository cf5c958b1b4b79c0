# bins[v] += how often byte v occurs in x. Each block counts in shared memory, where an atomic is near, and adds its
# counts to global memory once. Integer sums come out the same in any order, so no order is needed anywhere.
#
#   tcc sim examples/g9/histogram.s --dim N=4000 --grid 4 --input x=random:1 --input bins=zeros --output bins=/dev/null
.kernel histogram
.param x: u8*[N]
.param bins: u32*[256]
.param N: u32
.block 256
.shared count: 1024

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, tid.x
  s2r.b32 r2, nctaid.x
  lea.u32 r0, r0, r1, 8
  shl.u32 r2, r2, 8
  shl.u32 r3, r1, 2
  mov.b32 r4, 0
  sts.b32 [r3+count], r4           # a thread a bin
  bar.sync 0
  mov.b32 r5, 1
  bssy b0, counted
  isetp.ge.u32 p0, pt, r0, p[N]
  @p0 bra counted
loop:
  lea.u64 r6, r0, p[x], 0
  ldg.u8 r8, [r6]
  shl.u32 r8, r8, 2
  reds.add.u32 [r8+count], r5      # lanes with the same byte go one after the other
  iadd3.u32 r0, r0, r2, rz
  isetp.lt.u32 p0, pt, r0, p[N]
  @p0 bra loop
counted:
  bsync b0
  bar.sync 0
  lds.b32 r4, [r3+count]
  lea.u64 r6, r1, p[bins], 2
  isetp.ne.u32 p0, pt, r4, 0
  @p0 redg.add.u32 [r6], r4
  exit
