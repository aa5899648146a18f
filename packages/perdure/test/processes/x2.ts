// A program that has a second copy of Perdure. Argument: the file of the copy.

import type * as workflows from "perdure";
import { createHook, getStepMetadata, step } from "perdure";
import type * as api from "perdure/api";
import { getRun, resumeHook, start } from "perdure/api";
import type * as errors from "perdure/errors";

type Copy = typeof workflows & typeof api & typeof errors;

const copy: Copy = await import(process.argv[2] ?? "");

const greet = copy.step("greet", async (name: string) => `${name}, attempt ${getStepMetadata().attempt}`);
const hello = step("hello", async () => `hello${copy.getStepMetadata().attempt}`);
const greeting = copy.workflow("greeting", async () => {
  await copy.sleep(1);
  const name = createHook<string>({ token: "name" });
  const response = await copy.fetch("data:text/plain,x");
  return [await hello(), await greet(await name), await response.text()];
});
const failing = copy.workflow("failing", async () => {
  throw new copy.FatalError("refused");
});

const run = await copy.start(greeting, []);
while (!(await resumeHook("name", "Ann").catch(() => null)))
  await new Promise((done) => setTimeout(done, 20));
const failure = await (await start(failing, [])).returnValue.catch((error: unknown) => error);
console.log("result", await getRun(run.runId).returnValue, copy.WorkflowRunFailedError.is(failure));
