const limit = 1_000 // bytes that lishi takes for an avatar
const sides = [64, 56, 48, 40, 32, 24]
const qualities = [0.8, 0.6, 0.45, 0.3, 0.15]

/**
 * Makes a picture small enough to be kept in a profile, the middle of it as a
 * square. Gives undefined where even the smallest is too large; rejects where
 * the file is no picture.
 */
export async function shrink(file: Blob): Promise<string | undefined> {
  const source = await createImageBitmap(file)
  const side = Math.min(source.width, source.height)
  const canvas = document.createElement('canvas')
  for (const size of sides) {
    canvas.width = canvas.height = size
    const context = canvas.getContext('2d')!
    context.imageSmoothingQuality = 'high'
    context.drawImage(source, (source.width - side) / 2, (source.height - side) / 2, side, side, 0, 0, size, size)
    for (const quality of qualities) {
      // A browser that can't write WebP gives a PNG instead; JPEG is smaller.
      const webp = canvas.toDataURL('image/webp', quality)
      const url = webp.startsWith('data:image/webp') ? webp : canvas.toDataURL('image/jpeg', quality)
      if (url.length <= limit) return url
    }
  }
  return undefined
}
