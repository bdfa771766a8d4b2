/* pillow_truth.h - digests of what Pillow, and transformers' image processors, make of pictures. Written by
 * tests/interop/pillow_truth.py. Each test uses one table. */
#ifndef PILLOW_TRUTH_H
#define PILLOW_TRUTH_H

#include <stdint.h>

/* clang-format off */
struct decode_truth {
    const char *file; /* below tests/fuzz/corpus/ */
    uint32_t width, height;
    const char *sha256; /* of the RGB bytes */
};

#ifdef WANT_PNG_TRUTH
static const struct decode_truth png_truths[] = {
    {"image_png/exif6.png", 3, 4, "46b2fc6d855cde74b5151613c0c012c87e1c27f97c9dcdc29bb0381a1ff3c8b8"},
    {"image_png/gray1.png", 13, 6, "150a6a15907cb3f4b537996f966ae7caab681b218221dd7f9744f967cdc776bd"},
    {"image_png/gray16.png", 13, 6, "50ef569c309cdff4a1d8d1011a983d3c0ce5c701e3b58497975aab7b5a4f7225"},
    {"image_png/gray16_interlaced.png", 9, 9, "1f843a8c51a4ca306f92cdc7ac8933917cdc8203ac0bae5f04f3041d2ed48a16"},
    {"image_png/gray2.png", 13, 6, "900c4641f015701d4bbcbd5548f36a76604f475937929d1f1f92831d34a4c025"},
    {"image_png/gray4.png", 13, 6, "59ee5df84596a7484e05fb445f1767e332f91de78da9db181100ca561ff5f39e"},
    {"image_png/gray8.png", 13, 6, "a6e368b6889b5e90b8e6ffc8f23e2ea61fcc5da10dd09b8c5b89362c51cf42ce"},
    {"image_png/gray_alpha16.png", 6, 7, "b0ef107c11c4bd12d8d8321f863807bb4f110fbda9960e1171ead0d3a8e7dfc2"},
    {"image_png/gray_alpha8.png", 6, 7, "6a78be1054288ee144c828b6766ec14c980ec6cbcfda865487f4beff621d4a5f"},
    {"image_png/gray_trns.png", 7, 5, "56bae714fd96498af8c981dbc808f96de32da516b54008dfccf144c1f15782d0"},
    {"image_png/one_pixel.png", 1, 1, "7dd5c8a15b83c3ba50468f8ff7bfa4dd70b7a0911c55b313cb7a4ff4a943abf2"},
    {"image_png/palette1.png", 17, 3, "f63eeaa550121e18075e34ebe9efb5a9796a152444859db4df190ca98c26a1bb"},
    {"image_png/palette4_interlaced.png", 9, 13, "6c591dc19f71577b0c849842e12045ab801431c9715e0e2cd8d22688db856f7b"},
    {"image_png/palette8.png", 12, 8, "668186ea6e477641f52fe3ddbc2586ff152dfd7aaba473fadf9815fafcca5aca"},
    {"image_png/rgb16.png", 11, 7, "cc82ebe7ce2e22a970743e7faca71bb5a0cfbf6864ae0445fa07c8438fea3ca7"},
    {"image_png/rgb8.png", 11, 7, "ee7dded1f0e403309081c1d4bf2b6433e35f267ab0f44089cd92e5111e68147d"},
    {"image_png/rgba16.png", 5, 9, "51405db8b67f205d8ae42ad72f2616d6a50dc708156ebf6a5eca60cb2a2df84a"},
    {"image_png/rgba16_interlaced.png", 10, 11, "0f158b26825b7da8069e5f6472518da42313638cc8c6189a1e1fe1c2643feaa8"},
    {"image_png/rgba8.png", 5, 9, "4426389e27b486118f332bc68891c0508c3951eea18d79d93d11cad5738beb2b"},
    {"image_png/rgba8_interlaced.png", 10, 11, "ccc3198b006b4f3368b472bebda8b616a34a2a953e7726e2e5f9600c35d71bbc"},
    {"image_png/texts.png", 4, 3, "2431f4500bc61498cde55078f8154525a59c8a138a25722e4e025ea2c17d3bd9"},
};
#endif

#ifdef WANT_JPEG_TRUTH
static const struct decode_truth jpeg_truths[] = {
    {"image_jpeg/cmyk.jpg", 19, 16, "2fb2640ce76e3016a993336475e832eb2b15a5ae73bfc87c777deae396bda05e"},
    {"image_jpeg/cmyk_no_adobe.jpg", 19, 16, "2fb2640ce76e3016a993336475e832eb2b15a5ae73bfc87c777deae396bda05e"},
    {"image_jpeg/exif1.jpg", 5, 3, "258d837a265480bfc3e8e5aac6c5cffed11f5b5805cb6c781822ffa894721ce5"},
    {"image_jpeg/exif2.jpg", 5, 3, "da1a7cb2fb61f0dc977a2fe836b5c09ca865dbdb1c47883c202cad9a22b4d5b3"},
    {"image_jpeg/exif3.jpg", 5, 3, "92b5b08a12b3ab5293f95f5901a71d024323b9977e85199b927a41949982f825"},
    {"image_jpeg/exif4.jpg", 5, 3, "0399918e397336fba53ae65af95f644c9f5949d3c95cfe04bbf7f716c7d3061e"},
    {"image_jpeg/exif5.jpg", 3, 5, "f601bebf5fdddd53478cceaab0504d2218c01a3ef0baf3df4c7f90d7f28731e4"},
    {"image_jpeg/exif6.jpg", 3, 5, "d5486379b8a550f593792c0e4f244878b99f64e3d1b3118a1844f8a3bc1dd9e5"},
    {"image_jpeg/exif7.jpg", 3, 5, "f014754f24e31bee7e2088801e978e6751d7cfbedb7c9f060cbc6e6cde0b36c6"},
    {"image_jpeg/exif8.jpg", 3, 5, "2acdb61e6b2259d23c8d25590c591b2c83082f73a671ad76527c7ef96d50d263"},
    {"image_jpeg/exif9.jpg", 5, 3, "258d837a265480bfc3e8e5aac6c5cffed11f5b5805cb6c781822ffa894721ce5"},
    {"image_jpeg/gray.jpg", 29, 21, "3c18861733c62138864318636a25a7e01559051ee53b7561a1b67123f0aa32f7"},
    {"image_jpeg/junk_behind.jpg", 29, 21, "749d3424b20a1bdef7cb3b21f1c3f2e7da2a3d72e727760d98ec895f093f3e27"},
    {"image_jpeg/one_pixel.jpg", 1, 1, "18377eebe5b4f076cc838979ad52bab2ecdcd197db196b15be98537b8b9e4323"},
    {"image_jpeg/progressive.jpg", 29, 21, "d19cc5a21e3308bd733b526c41b67c16963cbe78f070329247ef3747fb9ae3b1"},
    {"image_jpeg/progressive_gray.jpg", 29, 21, "7724ee815861473702bc216abd8e490b2c4ac78ef9ef8344c6a2ca471caf8aa7"},
    {"image_jpeg/rgb420.jpg", 29, 21, "ee39418a6d65fd862bd67000211916da8c0122571c7b21e0c1b32480538ce47a"},
    {"image_jpeg/rgb422.jpg", 29, 21, "7b8a8f60f66189b03831d21d1a204b7cbd934def6a74fb8fe54c2d2ded22244c"},
    {"image_jpeg/rgb444.jpg", 29, 21, "36cc03f3ceed561ad40b354a9b33e5480b553d63f655d0e2fcc450434a4af4fa"},
    {"image_jpeg/ycck.jpg", 19, 16, "a20b849265d3de261cdc6c363429c2139a059bf00e1a318194c3d13fea07c8e5"},
};
#endif

#ifdef WANT_RESIZE_TRUTH
struct resize_truth {
    uint32_t width, height, to_width, to_height, filter;
    const char *sha256; /* of the RGB bytes */
};

static const struct resize_truth resize_truths[] = {
    {16, 11, 7, 5, 0, "34c312b7cce537d6d5719769e8e67ffca2f1339abb58e8b745698be4e44d9c7d"},
    {16, 11, 7, 5, 1, "c3f113e31c23716de1ebf022aa8cdfcadf8e40d32d084aefb5c0d677cf260015"},
    {16, 11, 7, 5, 2, "94e59a799d98e3136d43da6d148de032956ff9652ada536127efd5c0f561c236"},
    {16, 11, 7, 5, 3, "40da753b8ff6413d47e8599db85683096a3a960042cc49b8e17839c6ae0d7706"},
    {16, 11, 7, 5, 4, "25f825b19c87ae565c6629677b451cd1c72cff6fb869ee6cd4e3aa6024047dd1"},
    {16, 11, 7, 5, 5, "f10c5b6534d32b616de9933088b369baa33743ff10e355f501313ec9b8934bab"},
    {16, 11, 40, 33, 0, "28710056077048531888a2374dd1fd48d2ee923c6dd46e1525f1392309597a67"},
    {16, 11, 40, 33, 1, "be7b1520856efd6ed69e84adcb2db8f0e04ee76bcdf48248a7d44dfc9f9af7ff"},
    {16, 11, 40, 33, 2, "5af249f8e955ef436666485f33251f11dd907c40fc6cf22fe167f70683c7bc92"},
    {16, 11, 40, 33, 3, "cc56e292a2b708fc6c5eb8d59c4ea22612b5a0bf3552bfdf705c98470025ec9c"},
    {16, 11, 40, 33, 4, "c36f2069553f26ed3899d97e9d1ff0f12c93ec8a8478658a80d868b6b19ce133"},
    {16, 11, 40, 33, 5, "a87b77920416b770c48e3e91160a348ae4e817159414a6a67a396aebfca9bbbf"},
    {50, 3, 9, 9, 0, "6d9cce718cdfa40cfc6832a2cc7d581c2b1f2922270b9a6aad00eb9531639858"},
    {50, 3, 9, 9, 1, "4c8653367452fa9b4c6baef14630df46af96cb3e981227bfb9e47f2640f9c9d1"},
    {50, 3, 9, 9, 2, "39aaa71fed36c8b6304602065662014f119db5dc7565d2cd6c0159d5386cc19e"},
    {50, 3, 9, 9, 3, "5096a9d701a7a42108031942d60a5dad44c72fed5bc26d2e3abbc968f1b85a2d"},
    {50, 3, 9, 9, 4, "f46f607991132a9aa9adcf18357204d28c88562c067cdaedb1126db5ae67a618"},
    {50, 3, 9, 9, 5, "1beb35428e49ea5a9ce995ba01311e585f6721443ae5322581d0455b43886e22"},
    {1, 1, 6, 4, 0, "eabd744e77dfc8715d130e41eaa187bc43abfd9402ef4f905e3163384e795665"},
    {1, 1, 6, 4, 1, "eabd744e77dfc8715d130e41eaa187bc43abfd9402ef4f905e3163384e795665"},
    {1, 1, 6, 4, 2, "eabd744e77dfc8715d130e41eaa187bc43abfd9402ef4f905e3163384e795665"},
    {1, 1, 6, 4, 3, "eabd744e77dfc8715d130e41eaa187bc43abfd9402ef4f905e3163384e795665"},
    {1, 1, 6, 4, 4, "eabd744e77dfc8715d130e41eaa187bc43abfd9402ef4f905e3163384e795665"},
    {1, 1, 6, 4, 5, "eabd744e77dfc8715d130e41eaa187bc43abfd9402ef4f905e3163384e795665"},
    {3, 200, 3, 30, 0, "ecbe1596b76499abddd738fc768c2b073afa1fe454303f1047767bd8ea0e2b75"},
    {3, 200, 3, 30, 1, "8332ba9774f4277aba072d72a6a5c9de8fdf495902847dd62bc1bbe8e3da9849"},
    {3, 200, 3, 30, 2, "9f0f6bc723619685434a5f9982b919260793c3c7d765d11304de64fa66ec7645"},
    {3, 200, 3, 30, 3, "36e00d690352fc46c1b0c8c992b35bd9b4e143dcd466386e675b4a9afc784667"},
    {3, 200, 3, 30, 4, "1b9a45bb4f30ff83bf269a830d1f63c37d91abdddbfdb36dcf0c39344a458525"},
    {3, 200, 3, 30, 5, "a8a2e6abef875ab448b2ae3740ed785ab9dcd9b4e4e493cb47f12641124654ca"},
    {31, 37, 31, 8, 0, "72238355db2b7808df1515fcd983486a891d3efef04ba5f2379f53bf3dcc2b11"},
    {31, 37, 31, 8, 1, "0a14cdfc9d3c180dc07c972a33f584d23150a255c0c8669ff330ccb27835b818"},
    {31, 37, 31, 8, 2, "6cef8c31cc0431e75ce18549ffc00db06c59ae79abf6c34bba2f019dcbead311"},
    {31, 37, 31, 8, 3, "d3e67ee681728502770690c8c134167b8976e81d6e1383a6832bdb450351ee4f"},
    {31, 37, 31, 8, 4, "8d420f352060465a5506971dee6ec40909aee1f90d89cdaf1acccd8a22f57473"},
    {31, 37, 31, 8, 5, "fa418a369f60e9ae3b7cf97dd480abc2e5783acf536402c4b5bfa2a848d4dae5"},
    {8, 8, 8, 8, 0, "9f67c52c918b78ded1fb8871ba0d7096a9fccdaa41f966fff11ee4d0573f9fa2"},
    {8, 8, 8, 8, 1, "9f67c52c918b78ded1fb8871ba0d7096a9fccdaa41f966fff11ee4d0573f9fa2"},
    {8, 8, 8, 8, 2, "9f67c52c918b78ded1fb8871ba0d7096a9fccdaa41f966fff11ee4d0573f9fa2"},
    {8, 8, 8, 8, 3, "9f67c52c918b78ded1fb8871ba0d7096a9fccdaa41f966fff11ee4d0573f9fa2"},
    {8, 8, 8, 8, 4, "9f67c52c918b78ded1fb8871ba0d7096a9fccdaa41f966fff11ee4d0573f9fa2"},
    {8, 8, 8, 8, 5, "9f67c52c918b78ded1fb8871ba0d7096a9fccdaa41f966fff11ee4d0573f9fa2"},
    {257, 5, 2, 1, 0, "b1f2ad6ffd666993bdea5d15221a2e1b4d6658f01235af07edb6e151d13b630d"},
    {257, 5, 2, 1, 1, "361c5427982ab0910a83d4fa3511e944590f3635d23be16d78f8595fac0354e1"},
    {257, 5, 2, 1, 2, "c777520d67f582891e80c92a5da234249b233cb5152c39ab82b769d34f0e27cc"},
    {257, 5, 2, 1, 3, "f3fdd5d714e1474b50f1f71b8046d2b3da5dc011fca8879b36b26dab27eb8a27"},
    {257, 5, 2, 1, 4, "dabc85198f69872dd793eabdd3581a6fec34e2ddd3dd06e5b628f1d5def8c734"},
    {257, 5, 2, 1, 5, "de654a63f6c41c134d38ff4226ff25c0e595ed83c93101cb8d4a2dc973fff04f"},
};
#endif

#ifdef WANT_PROCESS_TRUTH
struct process_truth {
    uint32_t width, height;
    const char *config;
    int64_t shape[3]; /* num_channels, height, width */
    const char *sha256; /* of the floats */
};

static const struct process_truth process_truths[] = {
    {27, 19, "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":{\"height\":9,\"width\":14}}", {3, 9, 14}, "5b0e79dcc869b099e22e06ef023d1f4f00c5071c06cc119480b09dfdfb1b19b4"},
    {27, 19, "{\"image_processor_type\":\"ViTFeatureExtractor\",\"size\":10,\"resample\":0,\"do_normalize\":false}", {3, 10, 10}, "60e825f13a9fbb7638f457a449571ed4af29e96eb9cb1f0472628ba9e3460822"},
    {27, 19, "{\"image_processor_type\":\"ViTImageProcessor\",\"do_resize\":false,\"do_rescale\":false,\"image_mean\":[100,90,80],\"image_std\":[9,8,7]}", {3, 19, 27}, "80293d95867e41111e79b35ca148d46ac4ce97c42721d0df31a0ddb994a72da3"},
    {27, 19, "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":12,\"image_mean\":[0.25],\"image_std\":[0.125]}", {1, 12, 12}, "e82b9d171b42c283027bc554897e17b53886249936cb8129322aa77e7fa8623a"},
    {27, 19, "{\"image_processor_type\":\"CLIPImageProcessor\",\"size\":{\"shortest_edge\":16},\"crop_size\":{\"height\":12,\"width\":15}}", {3, 12, 15}, "bcd5880159f08b38938bb6f3a71400577ede548ce3ff3745f2bda184ef4fa265"},
    {27, 19, "{\"image_processor_type\":\"CLIPFeatureExtractor\",\"size\":16,\"crop_size\":31,\"resample\":1}", {3, 31, 31}, "f560efd56c0353c357d16c241fa4d07e16e1bd3f46c5ab07f8da161ebe9c5e1a"},
    {27, 19, "{\"image_processor_type\":\"BitImageProcessor\",\"do_resize\":false,\"crop_size\":20}", {3, 20, 20}, "ff5f70ee8e3a88d8802ff363603e776fa2ece0f1d40cf19b3010c7ab394d9ac6"},
    {27, 19, "{\"image_processor_type\":\"DeiTImageProcessor\",\"size\":18,\"crop_size\":13}", {3, 13, 13}, "3347c1536274c8620620bea2053f07afdecbae9607be71117a690e09ed05670a"},
    {27, 19, "{\"image_processor_type\":\"ConvNextImageProcessor\",\"size\":{\"shortest_edge\":14},\"crop_pct\":0.6}", {3, 14, 14}, "410dd84eee5086074012a40bd4013e48d9292a71d8ac8eadb1d30c8e63d52a94"},
    {27, 19, "{\"image_processor_type\":\"ConvNextImageProcessorFast\",\"size\":{\"shortest_edge\":384},\"resample\":2}", {3, 384, 384}, "1dcde7f1deab5ce37a28d3dcb35e7525a413506c945f463e63b1e3686e5d2e6d"},
    {27, 19, "{\"image_processor_type\":\"SiglipImageProcessor\",\"size\":{\"height\":17,\"width\":17},\"rescale_factor\":0.01}", {3, 17, 17}, "c70dee70c15d748a3c86ba371dbeab8214ff92b5fa00f5d980aa2baf57d0a660"},
    {27, 19, "{\"image_processor_type\":\"MobileViTImageProcessor\",\"size\":{\"shortest_edge\":14},\"crop_size\":{\"height\":13,\"width\":16}}", {3, 13, 16}, "b984958509b42741b0fc3051d8fc7a57adb94fd92c7677a1d2a9ee531e17b9aa"},
    {27, 19, "{\"image_processor_type\":\"MobileViTImageProcessor\",\"size\":{\"height\":9,\"width\":14},\"do_center_crop\":false,\"do_rescale\":false,\"do_flip_channel_order\":false}", {3, 9, 14}, "2b2754a34c6f3c131467def97a687f3ab26d7d460b898969df7696f87b231510"},
    {10, 33, "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":{\"height\":9,\"width\":14}}", {3, 9, 14}, "a3bec9eeb92bdd4cac6600f1a8eede3e40ca335da4e300b08f8e39881e6dcf88"},
    {10, 33, "{\"image_processor_type\":\"ViTFeatureExtractor\",\"size\":10,\"resample\":0,\"do_normalize\":false}", {3, 10, 10}, "3625c0157af09a07596f791521d66d114c2d8add151f6b09bc332e3446a14306"},
    {10, 33, "{\"image_processor_type\":\"ViTImageProcessor\",\"do_resize\":false,\"do_rescale\":false,\"image_mean\":[100,90,80],\"image_std\":[9,8,7]}", {3, 33, 10}, "cea0039f0fd5844de0d1933abb5a4bdf7c3bcfe92327bbb1c66f8807693d04aa"},
    {10, 33, "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":12,\"image_mean\":[0.25],\"image_std\":[0.125]}", {1, 12, 12}, "659b3d3e5e33a4563d8d0b15404baf5f15f6bc48a086c844bc7564ddc5058d1f"},
    {10, 33, "{\"image_processor_type\":\"CLIPImageProcessor\",\"size\":{\"shortest_edge\":16},\"crop_size\":{\"height\":12,\"width\":15}}", {3, 12, 15}, "bef0ecbf41849a7542d3662e50c9421d0d2a4472ee3b93b8e8b24adda8c2d219"},
    {10, 33, "{\"image_processor_type\":\"CLIPFeatureExtractor\",\"size\":16,\"crop_size\":31,\"resample\":1}", {3, 31, 31}, "3b31dae84d58da9cf5b92eee8950d7d5f213399eba45df7bf5b1a1e0ee3b9595"},
    {10, 33, "{\"image_processor_type\":\"BitImageProcessor\",\"do_resize\":false,\"crop_size\":20}", {3, 20, 20}, "ab2339c44c673a6b1b7cab53b9a472effbc4a2ca4911090bf260665bede1c357"},
    {10, 33, "{\"image_processor_type\":\"DeiTImageProcessor\",\"size\":18,\"crop_size\":13}", {3, 13, 13}, "44685c194736b6193dc2eb0b6753970e432795744918be8726b630eafc329423"},
    {10, 33, "{\"image_processor_type\":\"ConvNextImageProcessor\",\"size\":{\"shortest_edge\":14},\"crop_pct\":0.6}", {3, 14, 14}, "ded6eec460697b1ebae4eafd875c1b992d40052059089436ba52bacd4853cc53"},
    {10, 33, "{\"image_processor_type\":\"ConvNextImageProcessorFast\",\"size\":{\"shortest_edge\":384},\"resample\":2}", {3, 384, 384}, "0790f08cbabfafcf7af859be7d93065071883536f6b14417bdb6e8f1c0573b11"},
    {10, 33, "{\"image_processor_type\":\"SiglipImageProcessor\",\"size\":{\"height\":17,\"width\":17},\"rescale_factor\":0.01}", {3, 17, 17}, "75d8a308852dcdb05a8ad45f9a7a9b704cae7a39829674802e486d84d6be173f"},
    {10, 33, "{\"image_processor_type\":\"MobileViTImageProcessor\",\"size\":{\"shortest_edge\":14},\"crop_size\":{\"height\":13,\"width\":16}}", {3, 13, 16}, "ded6443ac0924363e9d2150e5d6abd2a0054e861bff32e05925cd98572424f77"},
    {10, 33, "{\"image_processor_type\":\"MobileViTImageProcessor\",\"size\":{\"height\":9,\"width\":14},\"do_center_crop\":false,\"do_rescale\":false,\"do_flip_channel_order\":false}", {3, 9, 14}, "c740f3636f5916096146d072babedfed0bc432683eb5a480a6ca709d135728c7"},
};
#endif
/* clang-format on */

#endif
