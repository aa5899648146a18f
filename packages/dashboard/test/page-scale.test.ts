import { expect, test } from "vitest";
import { evenScale, hidesWork, shortenedScale } from "../src/page/run/scale.ts";

// The axis of a waterfall.

const whole = { from: 1_000, to: 101_000 };
const busy = [
  { from: 1_000, to: 2_000 },
  { from: 100_000, to: 101_000 },
];

test("on an even axis a moment is where its time is", () => {
  const { at, marks } = evenScale(whole, 5);
  expect([1_000, 26_000, 101_000].map(at)).toEqual([0, 0.25, 1]);
  expect(at(0)).toBe(0);
  expect(at(200_000)).toBe(1);
  expect(marks[0]).toEqual({ place: 0, time: 0, shortened: false });
});

test("a long pause is drawn short, and said to be", () => {
  expect(hidesWork(whole, busy)).toBe(true);
  const { at, marks } = shortenedScale(whole, busy, 5);
  expect(at(2_000)).toBeGreaterThan(0.4);
  expect(at(100_000)).toBeLessThan(0.6);
  expect(at(101_000)).toBe(1);
  expect(marks.filter(({ shortened }) => shortened)).toEqual([{ place: 0.5, time: 98_000, shortened: true }]);
});

test("moments stay in their order", () => {
  const { at } = shortenedScale(whole, busy, 5);
  const places = [1_000, 1_500, 2_000, 50_000, 100_000, 100_500, 101_000].map(at);
  expect(places).toEqual([...places].sort((one, other) => one - other));
});

test("without long pauses there is nothing to shorten", () => {
  expect(hidesWork(whole, [{ from: 1_000, to: 90_000 }])).toBe(false);
});
