# C = A B, one element of C a thread, straight from global memory.
#
# Each element of A is read by every thread of its row, each of B by every thread of its column: 2 loads for each
# multiply-add. The lanes of a warp have neighbouring columns, so their loads of B are neighbours (one request of a few
# sectors) and their load of A is one address for all.
#
#   tcc sim examples/g9/matmul_naive.s --dim M=40 --dim N=50 --dim K=30 --block 16,16 --grid 4,3 --input A=random:1 --input B=random:2
.kernel matmul
.param A: f32*[M,K]
.param B: f32*[K,N]
.param C: f32*[M,N]
.param M: u32
.param N: u32
.param K: u32

  s2r.b32 r0, ctaid.x
  s2r.b32 r1, ntid.x
  s2r.b32 r2, tid.x
  imad.u32 r0, r0, r1, r2          # r0 = column
  s2r.b32 r3, ctaid.y
  s2r.b32 r1, ntid.y
  s2r.b32 r2, tid.y
  imad.u32 r3, r3, r1, r2          # r3 = row
  isetp.ge.u32 p0, pt, r0, p[N]
  isetp.ge.u32.or p0, pt, r3, p[M], p0
  @p0 exit
  mov.b32 r4, p[K]
  imul.u32 r6, r3, r4              # first element of the row of A
  lea.u64 r8, r6, p[A], 2          # walks along A's row
  lea.u64 r10, r0, p[B], 2         # walks down B's column
  mov.b32 r12, p[N]
  shl.u32 r12, r12, 2              # from row to row of B
  mov.b32 r13, 0                   # the sum
  isetp.eq.u32 p0, pt, r4, 0
  @p0 bra store
loop:
  ldg.b32 r14, [r8]
  ldg.b32 r15, [r10]
  ffma.f32 r13, r14, r15, r13
  iadd3.u64 r8, r8, 4, rz
  lea.u64 r10, r12, r10, 0
  iadd3.u32 r4, r4, -1, rz
  isetp.ne.u32 p0, pt, r4, 0
  @p0 bra.uni loop                 # K is the same for all: marked, so a mistake would trap
store:
  imad.u32 r3, r3, p[N], r0
  lea.u64 r4, r3, p[C], 2
  stg.b32 [r4], r13
  exit
