/** `perdure/rspack`: the compiler as a plugin. */
export { default, type PluginOptions, type RspackPlugin } from "@perdure/compiler/rspack";
