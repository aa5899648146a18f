/** `perdure/webpack`: the compiler as a plugin. */
export { default, type PluginOptions, type WebpackPlugin } from "@perdure/compiler/webpack";
