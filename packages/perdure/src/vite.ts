/** `perdure/vite`: the compiler as a plugin; `workflow` is what the Workflow SDK has under that name, for Vitest too. */
import perdure, { type PluginOptions } from "@perdure/compiler/vite";

export { type PluginOptions, perdure as default };

/** A Vite plugin, as far as this package's types go: they must hold where Vite is not installed. */
export interface VitePlugin {
  readonly name: string;
}

/**
 * Compiles directives in Vite and in Vitest, where each test file has a store of its own, in memory: no run of another file, or of an
 * earlier execution of the tests, is in it. With `PERDURE_SQLITE_PATH`, or a `configure()` in the tests, that one is used instead.
 *
 * @example
 * ```ts
 * import { defineConfig } from "vitest/config";
 * import { workflow } from "perdure/vite";
 *
 * export default defineConfig({ plugins: [workflow()] });
 * ```
 */
export function workflow(options?: PluginOptions): VitePlugin[] {
  return [perdure(options), storeOfTests];
}

const storeOfTests = {
  name: "perdure:tests",
  config(): object {
    const { VITEST, PERDURE_SQLITE_PATH } = process.env;
    if (VITEST === undefined || PERDURE_SQLITE_PATH !== undefined) return {};
    return { test: { env: { PERDURE_SQLITE_PATH: ":memory:" } } };
  },
};
