import { RetryableError, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

it("a run that reconcile starts is another than the one that the body starts", async () => {
  const { client, process, until, clock } = cluster();
  const child = workflow("reconcile-starts/child", async (by: string) => by);
  let calls = 0;
  const asked: string[] = [];
  const works = step(
    "reconcile-starts/works",
    async () => {
      const run = await start(child, ["body"]);
      if (++calls === 1) throw new RetryableError("again", { retryAfter: 1 });
      return await run.returnValue;
    },
    {
      semantics: "at-most-once",
      reconcile: async () => void asked.push(await (await start(child, ["reconcile"])).returnValue),
    },
  );
  await process();
  const run = await client.start(
    workflow("reconcile-starts/flow", async () => await works()),
    [],
  );
  await clock.advance(1_000);
  expect(await until(run.returnValue)).toBe("body");
  expect(asked).toEqual(["reconcile"]);
});
