// A program that has a second copy of Perdure. Argument: the file of the copy.

import type * as workflows from "perdure";
import { createHook, createWebhook, getStepMetadata, step } from "perdure";
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
  const response = await copy.fetch("data:text/plain,at last");
  const payment = createWebhook({ token: "payment", verify: () => true });
  const greetings = [await hello(), await greet(await name), await response.text()];
  return [...greetings, await (await payment).text()];
});
const failing = copy.workflow("failing", async () => {
  throw new copy.FatalError("refused");
});

const run = await copy.start(greeting, []);
await told(() => resumeHook("name", "Ann"));
await told(() =>
  copy.resumeWebhook("payment", new Request("http://payments", { method: "POST", body: "paid" })),
);
const failure = await (await start(failing, [])).returnValue.catch((error: unknown) => error);
console.log("result", await getRun(run.runId).returnValue, failure instanceof copy.WorkflowRunFailedError);

/** Tries until the run listens. */
async function told(tell: () => Promise<unknown>): Promise<void> {
  while (!(await tell().catch(() => null))) await new Promise((done) => setTimeout(done, 20));
}
