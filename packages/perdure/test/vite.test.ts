import { afterEach, expect, it, vi } from "vitest";
import { workflow as integration } from "../src/astro.ts";
import { workflow } from "../src/vite.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

function configOf(): unknown {
  return (workflow().at(-1) as unknown as { config(): unknown }).config();
}

it("gives test files a store of their own in memory", () => {
  vi.stubEnv("PERDURE_SQLITE_PATH", undefined);
  expect(configOf()).toEqual({ test: { env: { PERDURE_SQLITE_PATH: ":memory:" } } });
});

it("leaves alone a store that was chosen, and what is no test", () => {
  vi.stubEnv("PERDURE_SQLITE_PATH", "app.db");
  expect(configOf()).toEqual({});
  vi.stubEnv("PERDURE_SQLITE_PATH", undefined);
  vi.stubEnv("VITEST", undefined);
  expect(configOf()).toEqual({});
});

it("is given to Astro's Vite by an integration", () => {
  const updateConfig = vi.fn();
  integration().hooks["astro:config:setup"]({ updateConfig });
  const names = workflow().map(({ name }) => ({ name }));
  expect(updateConfig.mock.calls).toMatchObject([[{ vite: { plugins: names } }]]);
});
