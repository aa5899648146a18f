import { virtualClock } from "@perdure/core/testing";
import { describe, expect, it } from "vitest";

describe("virtual clock", () => {
  it("fires timers in order, each at its own time", async () => {
    const clock = virtualClock({ start: 1_000 });
    const fired: [string, number][] = [];
    const set = (name: string, at: number) => clock.setTimer(at, () => fired.push([name, clock.now()]));
    set("late", 1_300);
    set("first of two", 1_200);
    set("second of two", 1_200);
    set("beyond", 1_501);
    await clock.advance(500);
    expect(fired).toEqual([
      ["first of two", 1_200],
      ["second of two", 1_200],
      ["late", 1_300],
    ]);
    expect(clock.now()).toBe(1_500);
  });

  it("lets the work of a timer settle before the next one", async () => {
    const clock = virtualClock({ start: 0 });
    const seen: string[] = [];
    const turn = () => new Promise<void>((resolve) => clock.turn(resolve));
    clock.setTimer(10, async () => {
      for (let index = 0; index < 5; index++) await turn();
      seen.push(`work at ${clock.now()}`);
      clock.setTimer(15, () => seen.push(`nested at ${clock.now()}`));
    });
    clock.setTimer(20, () => seen.push(`next at ${clock.now()}`));
    await clock.advance(30);
    expect(seen).toEqual(["work at 10", "nested at 15", "next at 20"]);
  });

  it("does not fire a cancelled timer, nor one timer twice", async () => {
    const clock = virtualClock({ start: 0 });
    let fired = 0;
    const cancel = clock.setTimer(10, () => fired++);
    const cancelDue = clock.setTimer(0, () => fired++);
    cancel();
    cancelDue();
    clock.setTimer(20, () => fired++);
    await clock.advance(100);
    await clock.advance(100);
    expect(fired).toBe(1);
  });

  it("fires a timer whose time has come without being moved, but not at once", async () => {
    const clock = virtualClock({ start: 100 });
    let fired = false;
    const firing = new Promise<void>((resolve) => {
      clock.setTimer(50, () => {
        fired = true;
        resolve();
      });
    });
    await Promise.resolve();
    expect(fired).toBe(false);
    await firing;
    expect(clock.now()).toBe(100);
  });

  it("moves to the next timer, if there is one", async () => {
    const clock = virtualClock({ start: 0 });
    const fired: number[] = [];
    for (const at of [70, 40, 40]) clock.setTimer(at, () => fired.push(at));
    expect(await clock.advanceToNext()).toBe(true);
    expect([clock.now(), fired]).toEqual([40, [40, 40]]);
    expect(await clock.advanceToNext()).toBe(true);
    expect([clock.now(), fired]).toEqual([70, [40, 40, 70]]);
    expect(await clock.advanceToNext()).toBe(false);
    expect(clock.now()).toBe(70);
  });

  it("runs a turn after all microtasks", async () => {
    const clock = virtualClock();
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      clock.turn(() => {
        order.push("turn");
        resolve();
      });
    });
    await Promise.resolve()
      .then(() => order.push("a microtask"))
      .then(() => order.push("its microtask"));
    await done;
    expect(order).toEqual(["a microtask", "its microtask", "turn"]);
  });
});

it("fires timers at whole milliseconds", async () => {
  const clock = virtualClock({ start: 1000 });
  const fired: number[] = [];
  clock.setTimer(1000.2, () => fired.push(clock.now()));
  await clock.advance(0);
  expect(fired).toEqual([]);
  await clock.advance(1);
  expect(fired).toEqual([1001]);
});
