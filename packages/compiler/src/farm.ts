/** The compiler as a Farm plugin. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** A Farm plugin, as far as this package's types go: they must hold where Farm is not installed. */
export interface FarmPlugin {
  readonly name: string;
}

/**
 * Compiles directives in a Farm build.
 *
 * @example
 * import perdure from "@perdure/compiler/farm";
 *
 * export default {
 *   compilation: { input: { app: "./src/app.ts" }, output: { targetEnv: "node" } },
 *   plugins: [perdure()],
 * };
 */
const perdure: (options?: PluginOptions) => FarmPlugin = createUnplugin(factory).farm;

export default perdure;
