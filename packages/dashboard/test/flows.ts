import { createHook, FatalError, setAttributes, setState, sleep, step, workflow } from "@perdure/core";
import type { RunDetail } from "@perdure/dashboard";
import { type House, until } from "./house.ts";

// Workflows for the tests of the JSON API, and what they wait for.

export const work: (n: number) => Promise<number> = step(
  "work",
  async function works(n: number): Promise<number> {
    if (n < 0) throw new FatalError("less than nothing");
    return n + 1;
  },
);
export const adds: (n: number) => Promise<number> = workflow("adds", async (n: number) => await work(n));
export const waits: (token: string) => Promise<boolean> = workflow("waits", async (token: string) => {
  await setAttributes({ customer: "cus_1" });
  setState({ waitsFor: token });
  using hook = createHook<{ yes: boolean }>({ token, metadata: { about: "a test" } });
  return (await hook).yes;
});
export const sleeps: () => Promise<string> = workflow("sleeps", async () => {
  await sleep("1 day");
  return "awake";
});

export const changes: () => Promise<void> = workflow("changes", async () => await sleep("1 day"));

export async function ended({ get }: House, runId: string): Promise<RunDetail> {
  return await until(
    () => get<RunDetail>(`api/runs/${runId}`),
    ({ run }) => run.completedAt !== null,
  );
}

export async function waiting({ get }: House, runId: string): Promise<RunDetail> {
  return await until(
    () => get<RunDetail>(`api/runs/${runId}`),
    ({ timeline, run }) => run.owner === null && timeline.some(({ outcome }) => outcome === "open"),
  );
}
