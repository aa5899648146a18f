/** The compiler as a webpack plugin. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** A webpack plugin, as far as this package's types go: they must hold where webpack is not installed. */
export interface WebpackPlugin {
  apply(compiler: object): void;
}

/**
 * Compiles directives in a webpack build, before the loaders of the configuration.
 *
 * @example
 * import perdure from "@perdure/compiler/webpack";
 *
 * export default {
 *   entry: "./src/app.ts",
 *   target: "node",
 *   module: { rules: [{ test: /\.ts$/, loader: "swc-loader" }] },
 *   plugins: [perdure()],
 * };
 */
const perdure: (options?: PluginOptions) => WebpackPlugin = createUnplugin(factory).webpack;

export default perdure;
