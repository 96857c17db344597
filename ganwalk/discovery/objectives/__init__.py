"""What a basis of directions is rotated for, one file each, behind one interface (`base.Objective`)."""
