import { step, workflow, fetch as f, sleep, createHook } from "perdure";
import { start, resumeHook, getRun } from "perdure/api";
const copy = await import(process.argv[2] ?? "");
const which = process.argv[3] ?? "";
const s = step("s", async () => {
  console.log("body");
  return 1;
});
const flow = workflow("g", async () => {
  if (which.includes("h")) createHook({ token: "name" });
  console.log("flow");
  const r = which.includes("f") ? await (await copy.fetch("data:text/plain,x")).text() : await s();
  console.log("got", r);
  return r;
});
const run = await (which.includes("c") ? copy.start : start)(flow, []);
console.log("started");
if (which.includes("r"))
  for (let i = 0; i < 10; i++) {
    const r = await resumeHook("name", "Ann").catch((e) => String(e).slice(0, 90));
    console.log("resume", typeof r);
    if (typeof r === "object") break;
    await new Promise((done) => setTimeout(done, 20));
  }
console.log("resumed");
console.log(await run.returnValue);
