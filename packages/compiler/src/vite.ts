/** The compiler as a Vite plugin; Vitest takes it from the same config. */
import { createUnplugin } from "unplugin";
import type { Plugin } from "vite";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/**
 * Compiles directives in Vite and in Vitest.
 *
 * @example
 * export default defineConfig({ plugins: [perdure()] });
 */
const perdure: (options?: PluginOptions) => Plugin = createUnplugin(factory).vite;

export default perdure;
