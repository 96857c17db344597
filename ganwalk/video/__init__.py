"""Files of moving pictures, written frame by frame: GIF, MP4, WebP, folders of PNG."""
