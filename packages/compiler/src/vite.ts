/** The compiler as a Vite plugin; Vitest takes it from the same config. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** A Vite plugin, as far as this package's types go: they must hold where Vite is not installed. */
export interface VitePlugin {
  readonly name: string;
}

/**
 * Compiles directives in Vite and in Vitest.
 *
 * @example
 * import perdure from "@perdure/compiler/vite";
 * import { defineConfig } from "vite";
 *
 * export default defineConfig({ plugins: [perdure()] });
 */
const perdure: (options?: PluginOptions) => VitePlugin = createUnplugin(factory).vite;

export default perdure;
