/** The compiler as an Rspack plugin. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** An Rspack plugin, as far as this package's types go: they must hold where Rspack is not installed. */
export interface RspackPlugin {
  apply(compiler: object): void;
}

/**
 * Compiles directives in an Rspack build, before the loaders of the configuration.
 *
 * @example
 * import perdure from "@perdure/compiler/rspack";
 *
 * export default {
 *   entry: "./src/app.ts",
 *   target: "node",
 *   module: { rules: [{ test: /\.ts$/, loader: "builtin:swc-loader" }] },
 *   plugins: [perdure()],
 * };
 */
const perdure: (options?: PluginOptions) => RspackPlugin = createUnplugin(factory).rspack;

export default perdure;
