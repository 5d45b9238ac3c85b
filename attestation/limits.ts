/** How much of a stranger's evidence is looked at. Eight GPUs make 100 KB of JSON, 15 KB compressed. */
export const limits = {
  compressedBytesMax: 2 ** 20,
  jsonBytesMax: 2 ** 21,
  itemsMax: 32,
  reportBytesMax: 32_768,
  chainBytesMax: 32_768,
  certificatesMax: 8,
} as const;
