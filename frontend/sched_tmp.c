#include "frontend/sched.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
const char *const sched_stmt_name[SS_COUNT] = {
#define STATEMENT(ID, word, ...) word,
#include "frontend/sched.def"
};
typedef struct P { Arena *m; const Source *s; Diags *d; size_t at; char tok[128]; size_t from; bool bad; } P;
static void nx(P *p){ const char *t=p->s->text; for(;;){ while(isspace((unsigned char)t[p->at])) p->at++; if(t[p->at]=='#'){ while(t[p->at]&&t[p->at]!='\n') p->at++; continue;} break; }
 p->from=p->at; size_t n=0; char c=t[p->at]; if(!c){p->tok[0]=0;return;}
 if(isalnum((unsigned char)c)||c=='_'){ while(isalnum((unsigned char)t[p->at])||t[p->at]=='_'||t[p->at]=='\'') p->tok[n++]=t[p->at++]; }
 else { p->tok[n++]=t[p->at++]; char d=t[p->at]; if((c=='-'&&d=='>')||(c=='<'&&d=='=')||(c=='>'&&d=='=')||(c=='='&&d=='=')||(c=='&'&&d=='&')||(c=='|'&&d=='|')||(c=='!'&&d=='=')) p->tok[n++]=t[p->at++]; }
 p->tok[n]=0; }
static bool is(P*p,const char*s){return !strcmp(p->tok,s);} 
static bool tk(P*p,const char*s){ if(is(p,s)){nx(p);return true;} return false;}
static Span sp(P*p,size_t a){ return (Span){.src=p->s,.at=(uint32_t)a,.len=(uint32_t)(p->from>a?p->from-a:1)}; }
static void need(P*p,const char*s){ if(!tk(p,s)&&!p->bad){ p->bad=true; diag_error(p->d,D_F001_EXPECTED,sp(p,p->from),s,p->tok);} }
static AstName nm(P*p){ AstName n={arena_strdup(p->m,p->tok),{.src=p->s,.at=(uint32_t)p->from,.len=(uint32_t)strlen(p->tok)}}; nx(p); return n; }
static AstExpr *ex(P*p,int prec);
static AstExpr *mk(P*p,AstKind k,size_t a,int n){ AstExpr*e=NEW(p->m,AstExpr); e->kind=k; e->arg=NEW_ARRAY(p->m,AstExpr*,3); e->nargs=n; e->span=sp(p,a); return e; }
static AstExpr *prim(P*p){ size_t a=p->from; if(tk(p,"(")){ AstExpr*e=ex(p,0); need(p,")"); AstExpr*q=mk(p,AST_PAREN,a,1); q->arg[0]=e; return q;} 
 if(isdigit((unsigned char)p->tok[0])){ uint64_t v=strtoull(p->tok,0,10); nx(p); AstExpr*e=mk(p,AST_INT,a,0); e->i=v; return e;} AstName n=nm(p); const char*t=n.text; if(!strcmp(t,"target")&&tk(p,".")){ t=arena_printf(p->m,"target.%s",p->tok); nx(p);} AstExpr*e=mk(p,AST_NAME,a,0); e->text=t; return e; }
static const struct{const char*s;ExprOp o;int p;} ops[]={{"||",EX_OR,1},{"&&",EX_AND,2},{"<",EX_LT,3},{"<=",EX_LE,3},{">",EX_GT,3},{">=",EX_GE,3},{"==",EX_EQ,3},{"!=",EX_NE,3},{"+",EX_ADD,4},{"-",EX_SUB,4},{"*",EX_MUL,5},{"/",EX_DIV,5},{"%",EX_MOD,5}};
static AstExpr *ex(P*p,int prec){ size_t a=p->from; AstExpr*l=prim(p); for(;;){ int k=-1; for(int i=0;i<13;i++) if(is(p,ops[i].s)&&ops[i].p>prec) k=i; if(k<0) return l; nx(p); AstExpr*r=ex(p,ops[k].p); AstExpr*e=mk(p,AST_BINARY,a,2); e->op=ops[k].o; e->arg[0]=l; e->arg[1]=r; l=e; } }
static void names(P*p,int*n,AstName**v){ *v=NEW_ARRAY(p->m,AstName,64); do (*v)[(*n)++]=nm(p); while(tk(p,",")); }
static void exprs(P*p,int*n,AstExpr***v){ *v=NEW_ARRAY(p->m,AstExpr*,64); do (*v)[(*n)++]=ex(p,0); while(tk(p,",")); }
static void ref(P*p,SchedStmt*s){ if(!s->ref) s->ref=NEW_ARRAY(p->m,SchedRef,8); size_t a=p->from; SchedRef r; r.def=nm(p); need(p,"."); r.loop=nm(p); r.span=sp(p,a); s->ref[s->nrefs++]=r; }
static void tail(P*p,SchedStmt*s){ static const char*t[]={"","guard","peel","pad","mask","compose","perfect"}; if(tk(p,"tail")) for(int i=1;i<7;i++) if(is(p,t[i])){ s->tail=(SchedTail)i; nx(p); break;} }
static SchedScope scope(P*p){ static const char*t[]={"","shared","local","reg"}; for(int i=1;i<4;i++) if(tk(p,t[i])) return (SchedScope)i; return SCOPE_NONE; }
static SchedStmt *st(P*p){ SchedStmt*s=NEW(p->m,SchedStmt); size_t a=p->from; int k=0; while(k<SS_COUNT&&strcmp(p->tok,sched_stmt_name[k])) k++; if(k==SS_COUNT){ need(p,"a statement"); return NULL;} nx(p); s->kind=(SchedKind)k;
 switch(s->kind){ case SS_TILE: case SS_SPLIT: s->subject=nm(p); need(p,"["); names(p,&s->nloops,&s->loop); need(p,"]"); need(p,"by"); exprs(p,&s->nexprs,&s->expr); need(p,"->"); names(p,&s->nnames,&s->name); tail(p,s); break;
 case SS_FUSE: s->subject=nm(p); need(p,"["); names(p,&s->nloops,&s->loop); need(p,"]"); need(p,"->"); names(p,&s->nnames,&s->name); break;
 case SS_ORDER: s->subject=nm(p); names(p,&s->nloops,&s->loop); break;
 case SS_UNROLL: case SS_PARALLEL: ref(p,s); break;
 case SS_VECTORIZE: ref(p,s); if(tk(p,"by")) exprs(p,&s->nexprs,&s->expr); break;
 case SS_AT: s->subject=nm(p); need(p,":"); ref(p,s); if(tk(p,"in")) s->scope=scope(p); break;
 case SS_INLINE: case SS_ROOT: s->subject=nm(p); break;
 case SS_STAGE: s->subject=nm(p); need(p,"at"); ref(p,s); need(p,"in"); s->scope=scope(p); if(tk(p,"layout")){ need(p,"pack"); need(p,"("); s->layout.kind=LAYOUT_PACK; names(p,&s->layout.n,&s->layout.ix); need(p,"by"); int n=0; exprs(p,&n,&s->layout.factor); need(p,")"); } break;
 case SS_ACCUM: s->subject=nm(p); need(p,"at"); names(p,&s->nloops,&s->loop); need(p,"in"); need(p,"reg"); if(!is(p,";")){ s->dtype=te_type_named(p->tok); nx(p);} break;
 case SS_MICROKERNEL: do ref(p,s); while(tk(p,",")); need(p,"with"); s->kernel=nm(p); s->compose=tk(p,"compose"); break;
 case SS_PREFETCH: s->subject=nm(p); need(p,"at"); ref(p,s); need(p,"distance"); exprs(p,&s->nexprs,&s->expr); break;
 default: need(p,"something else"); }
 s->span=sp(p,a); need(p,";"); return s; }
SchedFile *sched_parse(Arena *m,const Source *src,Diags *d){ P pp={.m=m,.s=src,.d=d},*p=&pp; nx(p); SchedFile*f=NEW(m,SchedFile); f->src=src; f->sched=NEW_ARRAY(m,Sched*,16);
 while(p->tok[0]&&!p->bad){ size_t a=p->from; Sched*s=NEW(m,Sched); need(p,"schedule"); s->name=nm(p); need(p,"for"); s->op=nm(p); if(tk(p,"@")){ s->target=arena_strdup(m,p->tok); nx(p);} if(tk(p,"when")) s->when=ex(p,0); need(p,"{"); s->param=NEW_ARRAY(m,SchedParam,32); s->stmt=NEW_ARRAY(m,SchedStmt*,256);
 while(!p->bad&&tk(p,"param")){ SchedParam*q=&s->param[s->nparams++]; q->name=nm(p); need(p,"in"); need(p,"{"); exprs(p,&q->nvalues,&q->value); need(p,"}"); need(p,"="); q->dflt=ex(p,0); if(tk(p,"where")) q->where=ex(p,0); need(p,";"); }
 while(!p->bad&&!is(p,"}")){ SchedStmt*x=st(p); if(x) s->stmt[s->nstmts++]=x; }
 need(p,"}"); s->span=sp(p,a); f->sched[f->n++]=s; } return f; }
bool sched_eval(const SchedEnv *env,const AstExpr *e,Diags *d,SchedValue *v){ SchedValue a,b; *v=(SchedValue){true,0}; switch(e->kind){ case AST_INT: v->i=(int64_t)e->i; return true; case AST_PAREN: return sched_eval(env,e->arg[0],d,v);
 case AST_NAME: for(int i=0;i<env->sched->nparams;i++) if(!strcmp(env->sched->param[i].name.text,e->text)){ v->i=env->param[i]; return true;} for(int i=0;i<env->op->ndims;i++) if(!strcmp(env->op->dim[i].name,e->text)){ v->i=env->op->dim[i].value; v->known=v->i>=0; return true;} if(!strcmp(e->text,"target.lanes_f32")){ v->i=target_lanes(env->target,4); return true;} if(!strcmp(e->text,"target.vregs")){ v->i=env->target->vregs; return true;} diag_error(d,D_N001_UNKNOWN,e->span,e->text); return false;
 case AST_BINARY: if(!sched_eval(env,e->arg[0],d,&a)||!sched_eval(env,e->arg[1],d,&b)) return false; v->known=a.known&&b.known; if(!v->known) return true; switch(e->op){ case EX_ADD: v->i=a.i+b.i; break; case EX_SUB: v->i=a.i-b.i; break; case EX_MUL: v->i=a.i*b.i; break; case EX_DIV: v->i=b.i?a.i/b.i:0; break; case EX_LE: v->i=a.i<=b.i; break; case EX_LT: v->i=a.i<b.i; break; case EX_GE: v->i=a.i>=b.i; break; case EX_GT: v->i=a.i>b.i; break; case EX_AND: v->i=a.i&&b.i; break; default: v->i=a.i==b.i; } return true; default: return false; } }
bool sched_assign(Arena *m,const Sched *s,const TeOp *op,const Target *t,int nset,const SchedSet *set,bool(*more)(void*,const int64_t*),void*u,Diags *d,int64_t *param){ (void)m;(void)more;(void)u; SchedEnv env={s,param,op,t}; for(int i=0;i<s->nparams;i++){ SchedValue v; if(!sched_eval(&env,s->param[i].dflt,d,&v)) return false; param[i]=v.i; for(int k=0;k<nset;k++) if(!strcmp(set[k].name,s->param[i].name.text)) param[i]=atoll(set[k].value);} return true; }
