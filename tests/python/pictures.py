"""Makes tests/reference/pictures.json: small picture files of every kind, and what Pillow makes of them.

    python pictures.py > ../reference/pictures.json

Made with Pillow 13.0.0 and numpy 2.4.6. A case has a name, the file in hexadecimal, and the picture as
`ImageOps.exif_transpose(Image.open(file)).convert("RGB")` has it: width, height, and the bytes of its pixels in
hexadecimal, row by row. Where `convert("RGB")` alone gives another picture, it stands under `stored`; that is what
torchvision loads. `tolerance` is how far a byte may be off: decoders of JPEG may round in their own ways.
"""

import io
import json
import sys

import numpy as np
from PIL import Image, ImageOps

random = np.random.RandomState(7)
WIDTH, HEIGHT = 5, 4
ORIENTATION = 0x0112


def noise(channels, dtype=np.uint8, width=WIDTH, height=HEIGHT):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return random.randint(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def flat(channels):
    """Blocks of 16 x 16 pixels of one colour each, 2 x 3 of them: JPEG loses next to nothing of them."""
    blocks = random.randint(40, 216, (2, 3, channels)).astype(np.uint8)
    return np.repeat(np.repeat(blocks, 16, axis=0), 16, axis=1)


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixels(picture):
    rgb = picture.convert("RGB")
    return {"width": rgb.width, "height": rgb.height, "rgb": rgb.tobytes().hex()}


def case(name, file, tolerance=0):
    turned = pixels(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))
    stored = pixels(Image.open(io.BytesIO(file)))
    entry = {"name": name, "file": file.hex(), "tolerance": tolerance, **turned}
    if stored != turned:
        entry["stored"] = stored
    return entry


def rgb(data=None):
    return Image.fromarray(noise(3) if data is None else data)


def of_mode(mode, channels, width=WIDTH, height=HEIGHT):
    return Image.frombytes(mode, (width, height), noise(channels, width=width, height=height).tobytes())


def exif(number):
    tags = Image.Exif()
    tags[ORIENTATION] = number
    return tags


def palette():
    picture = Image.frombytes("P", (WIDTH, HEIGHT), bytes(i % 7 for i in range(WIDTH * HEIGHT)))
    picture.putpalette(noise(3, width=7, height=1).tobytes())
    return picture


def wide_grey():
    return np.array([[0, 1, 127, 128, 255], [256, 257, 300, 511, 512], [4095, 4096, 32767, 32768, 40000],
                     [65279, 65280, 65281, 65534, 65535]], dtype=np.uint16)


def png_16(color_type, channels, transparent=b""):
    """A PNG file of 16 bits, which Pillow does not write of colours."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = noise(channels, np.uint16) if color_type or not transparent else wide_grey()
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in data)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, color_type, 0, 0, 0)
    extra = chunk(b"tRNS", transparent) if transparent else b""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tiff_16(channels):
    """A TIFF file of 16-bit colours, little-endian, uncompressed."""
    import struct

    data = noise(channels, np.uint16).astype("<u2").tobytes()
    start = 8
    bits_at = start + len(data)
    ifd_at = bits_at + 2 * channels
    photometric = {3: 2, 4: 5}[channels]
    entries = [(256, 3, 1, WIDTH), (257, 3, 1, HEIGHT), (258, 3, channels, bits_at), (259, 3, 1, 1),
               (262, 3, 1, photometric), (273, 4, 1, start), (277, 3, 1, channels), (278, 3, 1, HEIGHT),
               (279, 4, 1, len(data))]
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, ifd_at) + data + struct.pack(f"<{channels}H", *[16] * channels) + ifd


def gif_frame(left, top, width, height, transparent=None, local=False, screen=(WIDTH, HEIGHT)):
    """A GIF file whose first frame is this part of its screen, in codes of 9 bits without compression."""
    import struct

    colors = noise(3, width=4, height=1).tobytes()
    file = b"GIF89a" + struct.pack("<HHBBB", *screen, 0 if local else 0x81, 0, 0) + (b"" if local else colors)
    if transparent is not None:
        file += b"!\xf9\x04" + struct.pack("<BHBB", 1, 0, transparent, 0)
    file += b"," + struct.pack("<HHHHB", left, top, width, height, 0x81 if local else 0) + (colors if local else b"")
    codes = [256] + [int(i) for i in random.randint(0, 4, width * height)] + [257]
    bits = "".join(f"{code:09b}"[::-1] for code in codes)
    data = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
    return file + b"\x08" + bytes([len(data)]) + data + b"\0;"


def xmp(number):
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="{number}"/></x:xmpmeta>'.encode()


def ycck(file):
    """A JPEG file of four components whose Adobe segment says that they are luma, chroma and black."""
    at = file.index(b"Adobe")
    return file[: at + 11] + b"\x02" + file[at + 12 :]


def without_adobe(file):
    at = file.index(b"\xff\xee")
    length = int.from_bytes(file[at + 2 : at + 4], "big")
    return file[:at] + file[at + 2 + length :]


def webp_frames():
    first, second = of_mode("RGBA", 4), of_mode("RGBA", 4)
    return saved(first, "WEBP", save_all=True, append_images=[second], lossless=True)


cmyk = Image.frombytes("CMYK", (48, 32), flat(4).tobytes())
cmyk_jpeg = saved(cmyk, "JPEG", quality=100)
wide = Image.fromarray(wide_grey())
cases = [
    case("PNG of colours", saved(rgb(), "PNG")),
    case("PNG with alpha", saved(of_mode("RGBA", 4), "PNG")),
    case("grey PNG", saved(of_mode("L", 1), "PNG")),
    case("grey PNG with alpha", saved(of_mode("LA", 2), "PNG")),
    case("PNG of a bit", saved(of_mode("L", 1).convert("1"), "PNG")),
    case("PNG with a palette", saved(palette(), "PNG")),
    case("PNG with a palette and a transparent colour", saved(palette(), "PNG", transparency=3)),
    case("grey PNG of 16 bits", saved(wide, "PNG")),
    case("grey PNG of 16 bits with a transparent grey", png_16(0, 1, b"\x01\x00")),
    case("grey PNG of 16 bits with alpha", png_16(4, 2)),
    case("PNG of colours of 16 bits", png_16(2, 3)),
    case("PNG of colours of 16 bits with alpha", png_16(6, 4)),
    case("BMP", saved(rgb(), "BMP")),
    case("BMP with a palette", saved(palette(), "BMP")),
    case("PPM", saved(rgb(), "PPM")),
    case("PGM", saved(of_mode("L", 1), "PPM")),
    case("lossless WebP", saved(rgb(), "WEBP", lossless=True)),
    case("lossless WebP with alpha", saved(of_mode("RGBA", 4), "WEBP", lossless=True, exact=True)),
    case("lossy WebP", saved(rgb(), "WEBP", quality=60)),
    case("lossy WebP with alpha", saved(of_mode("RGBA", 4), "WEBP", quality=60)),
    case("WebP of two frames", webp_frames()),
    case("TIFF of colours", saved(rgb(), "TIFF")),
    case("TIFF by LZW", saved(rgb(), "TIFF", compression="tiff_lzw")),
    case("TIFF by deflate", saved(rgb(), "TIFF", compression="tiff_adobe_deflate")),
    case("TIFF by PackBits", saved(rgb(), "TIFF", compression="packbits")),
    case("TIFF with alpha", saved(of_mode("RGBA", 4), "TIFF")),
    case("grey TIFF", saved(of_mode("L", 1), "TIFF")),
    case("grey TIFF with alpha", saved(of_mode("LA", 2), "TIFF")),
    case("TIFF of a bit", saved(of_mode("L", 1).convert("1"), "TIFF")),
    case("TIFF of a bit by Group 4", saved(of_mode("L", 1).convert("1"), "TIFF", compression="group4")),
    case("grey TIFF of 16 bits", saved(wide, "TIFF")),
    case("TIFF of colours of 16 bits", tiff_16(3)),
    case("TIFF of ink of 16 bits", tiff_16(4)),
    case("TIFF of ink", saved(of_mode("CMYK", 4), "TIFF")),
    case("TIFF of two pictures", saved(rgb(), "TIFF", save_all=True, append_images=[rgb()])),
    case("GIF", saved(palette(), "GIF")),
    case("interlaced GIF", saved(palette(), "GIF", interlace=1)),
    case("grey GIF", saved(of_mode("L", 1), "GIF")),
    case("GIF of two frames", saved(palette(), "GIF", save_all=True, append_images=[palette()])),
    case("GIF with a transparent colour", saved(palette(), "GIF", transparency=3)),
    case("GIF whose frame leaves a border", gif_frame(1, 1, 3, 2)),
    case("GIF whose frame leaves a transparent border", gif_frame(1, 1, 3, 2, transparent=2)),
    case("GIF whose frame has a palette", gif_frame(0, 0, 5, 4, local=True)),
    case("GIF whose frame is larger than its screen", gif_frame(1, 2, 4, 5)),
    case("JPEG", saved(rgb(flat(3)), "JPEG", quality=100), 2),
    case("grey JPEG", saved(rgb(flat(1)[:, :, 0]), "JPEG", quality=100), 1),
    case("progressive JPEG", saved(rgb(flat(3)), "JPEG", quality=100, progressive=True), 2),
    case("JPEG of ink", cmyk_jpeg, 2),
    case("JPEG of ink as luma and chroma", ycck(cmyk_jpeg), 2),
    case("JPEG of ink without a segment of Adobe", without_adobe(cmyk_jpeg), 2),
]
cases += [case(f"PNG, orientation {n}", saved(rgb(), "PNG", exif=exif(n))) for n in range(0, 10)]
cases += [case(f"TIFF, orientation {n}", saved(rgb(), "TIFF", tiffinfo={ORIENTATION: n})) for n in (1, 3, 6, 7)]
cases += [
    case("JPEG, orientation 6", saved(rgb(flat(3)), "JPEG", quality=100, exif=exif(6)), 2),
    case("JPEG of ink, orientation 8", saved(cmyk, "JPEG", quality=100, exif=exif(8)), 2),
    case("WebP, orientation 5", saved(rgb(), "WEBP", lossless=True, exif=exif(5))),
    case("grey PNG of 16 bits, orientation 8", saved(wide, "PNG", exif=exif(8))),
    case("JPEG, orientation 6 in XMP", saved(rgb(flat(3)), "JPEG", quality=100, xmp=xmp(6)), 2),
    case("WebP, orientation 3 in XMP", saved(rgb(), "WEBP", lossless=True, xmp=xmp(3))),
    case("JPEG, orientation 8 before 6 in XMP", saved(rgb(flat(3)), "JPEG", quality=100, xmp=xmp(6), exif=exif(8)), 2),
]
lines = [json.dumps(entry, separators=(",", ":")) for entry in cases]
sys.stdout.write("[" + ",\n".join(lines) + "]\n")
