import type { LeaseKeeper as Located } from "@perdure/core/world";
import { expect, it, onTestFinished } from "vitest";
import { LeaseKeeper } from "../../src/engine/leases/lease-keeper.ts";
import { closeOnSignal } from "../../src/engine/shutdown-signals.ts";
import { silentLogger } from "../../src/logger.ts";

const throws = async (): Promise<never> => {
  throw new Error("not here");
};
const module = (text: string) => async (): Promise<Located> => ({
  module: `data:text/javascript,${encodeURIComponent(text)}`,
  options: {},
});

it.each<[string, () => Promise<Located>]>([
  ["its module cannot be located", throws],
  ["its module is not there", async () => ({ module: "file:///nowhere/keeper.js", options: {} })],
  ["its module is broken", module("throw new Error('not here')")],
  ["its World does not open", module("export const openWorld = async () => { throw new Error('not here') }")],
  [
    "its World cannot be opened",
    module("export const openWorld = () => ({ open: async () => { throw new Error('not here') } })"),
  ],
  ["it ends", module("process.exit(1)")],
  ["its options cannot be sent", async () => ({ module: "data:text/javascript,", options: () => 1 })],
])("a keeper that cannot start is one warning and nothing else: %s", async (_, locate) => {
  const warnings: unknown[] = [];
  const logger = { ...silentLogger, warn: (...args: unknown[]) => void warnings.push(args) };
  const keeper = new LeaseKeeper({
    locate,
    workerId: "worker_1",
    leaseTtl: 1_000,
    stallTimeout: 10_000,
    logger,
  });
  onTestFinished(() => keeper.close());
  await keeper.ready;
  keeper.take({ runId: "wrun_1", epoch: 1, claimId: "c" });
  keeper.flush();
  await keeper.close();
  expect(warnings).toEqual([
    [
      expect.stringMatching(
        /a step that blocks the event loop for longer than a lease may be executed twice/,
      ),
      { worker: "worker_1", error: expect.any(Error) },
    ],
  ]);
});

it("closes while its World does not answer", async () => {
  const locate = module("export const openWorld = () => new Promise(() => {})");
  const logger = silentLogger;
  const keeper = new LeaseKeeper({
    locate,
    workerId: "worker_1",
    leaseTtl: 1_000,
    stallTimeout: 10_000,
    logger,
  });
  await new Promise((resolve) => setImmediate(resolve));
  await keeper.close();
  await keeper.ready;
});

it("no second signal is held up while workers close, whichever it is", async () => {
  const counts = () => [process.listenerCount("SIGUSR2"), process.listenerCount("SIGHUP")];
  const before = counts();
  const ours = () => {};
  // What a signal does to a process without handlers must not happen to this one.
  process.on("SIGUSR2", ours);
  onTestFinished(() => void process.off("SIGUSR2", ours));
  const closing = new Promise<void>((resolve) => {
    const close = () => {
      resolve();
      return new Promise<never>(() => {});
    };
    const undo = [closeOnSignal("SIGUSR2", close), closeOnSignal("SIGHUP", close)];
    onTestFinished(() => undo.forEach((fn) => void fn()));
  });
  process.emit("SIGUSR2", "SIGUSR2");
  await closing;
  expect(counts()).toEqual([(before[0] ?? 0) + 1, before[1]]);
});
