//! VGG7: Simonyan and Zisserman 2014, cut down for CIFAR as in Li and Liu 2016, "Ternary weight networks", with one fully
//! connected layer.

use super::ArchitectureError;
use super::builder::{Builder, Conv};

/// Six convolutions in pairs, a maximum after each pair.
pub(super) fn vgg7(builder: &mut Builder<'_>) -> Result<(), ArchitectureError> {
    let mut x = builder.input();
    // Modules are numbered as in a sequence of convolution, BatchNorm, ReLU and pooling.
    let mut module = 0;
    for channels in [128, 256, 512] {
        for _ in 0..2 {
            let conv = Conv { filters: builder.width(channels), kernel: 3, stride: 1 };
            x = builder.conv(&format!("features.{module}"), x, conv)?;
            x = builder.batch_norm(&format!("features.{}", module + 1), x);
            x = builder.relu(&format!("features.{}", module + 2), x);
            module += 3;
        }
        x = builder.max_pool(&format!("features.{module}"), x, 2);
        module += 1;
    }
    builder.linear("classifier", x)
}
