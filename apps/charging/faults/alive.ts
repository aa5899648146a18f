import { defineHook, step, workflow, once } from "perdure";
import { countRuns, getHookByToken, getRun, listHooks, listLocks, listRuns, listStartKeys, listWorkers, resumeHook, resumeWebhook, start } from "perdure/api";
import { configure, createWorker, drain } from "perdure/runtime";
import { postgresWorld } from "@perdure/world-postgres";
const what = process.argv[2]!;
const world = postgresWorld({ url: "postgres://u:p@127.0.0.1:1/x" });
configure({ world, worker: false });
const flow = workflow("flow", async () => 1);
const st = step("st", async () => 1);
const run = getRun("wrun_01KDVDNA003MYWDBWYNB8NW5B1");
const h = defineHook({});
const acts: Record<string, () => Promise<unknown>> = {
  start: () => start(flow), resumeHook: () => resumeHook("t", 1), orStart: () => resumeHook("t", 1, { orStart: [flow] }), status: () => run.status, exists: () => run.exists, returnValue: () => run.returnValue,
  result: () => run.result({ timeout: "60s" }), cancel: () => run.cancel(), terminate: () => run.cancel({ mode: "terminate" }), listRuns: () => listRuns(), countRuns: () => countRuns(), listWorkers: () => listWorkers(), listHooks: () => listHooks(),
  listLocks: () => listLocks(), listStartKeys: () => listStartKeys(), getHookByToken: () => getHookByToken("t"),
  read: () => run.getReadable().getReader().read(), chunks: async () => { for await (const c of run.chunks()) console.log(c); }, tail: () => run.getReadable().getTailIndex(), write: () => run.getWritable().getWriter().write("x" as never), close: () => run.getWritable().getWriter().close(),
  events: async () => { for await (const e of run.events()) console.log(e); }, wakeUp: () => run.wakeUp(), fork: () => run.fork({ fromStep: "x" }), retry: () => run.retry(), delete: () => run.delete(), releaseKey: () => run.releaseKey(),
  once: () => once("k", st), drain: () => drain({ budgetMs: 8000 }), worker: () => createWorker({ world }).start(), open: () => world.open(), getState: () => run.getState({ after: 0 }), defined: () => h.resume("t", 1),
  webhook: () => resumeWebhook("t", new Request("http://x/", { method: "POST" })),
};
if (what === "list") { console.log(Object.keys(acts).join(" ")); process.exit(0); }
const t0 = Date.now();
try { await acts[what]!(); console.log("RESOLVED", what, Date.now() - t0); } catch (e) { console.log("rejected", what, Date.now() - t0, String(e).slice(0, 160)); }
process.exit(0);
